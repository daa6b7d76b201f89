//! Who gets a host, and who gets a path of it, where several Ingresses want it.
//!
//! It does not make routes (`routes.rs`). Ingresses come in the order in which they count, so the first one wins.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use sluice_proto::{HostPattern, ObjectReference, PathMatch, Route};

use crate::ingress::ServedIngress;
use crate::problem::{Fault, ProblemCode, Problems};
use crate::routes::Claim;

/// The oldest Ingress that has a rule for a host: its namespace owns the host.
pub(crate) struct Owners(BTreeMap<HostPattern, ObjectReference>);

impl Owners {
    /// Returns the owners, and reports whoever shares a host with an owner of another namespace.
    pub(crate) fn of(
        served: &[ServedIngress<'_>],
        across_namespaces: bool,
        problems: &mut Problems,
    ) -> Self {
        let mut owners: BTreeMap<HostPattern, ObjectReference> = BTreeMap::new();
        for ingress in served {
            for (host, field) in ingress.hosts() {
                match owners.entry(host) {
                    Entry::Vacant(vacant) => {
                        vacant.insert(ingress.reference.clone());
                    }
                    Entry::Occupied(owner) => {
                        if owner.get().namespace != ingress.reference.namespace {
                            let fault = shared(owner.key(), owner.get(), across_namespaces);
                            problems.add(fault.at(&ingress.reference, field));
                        }
                    }
                }
            }
        }
        Self(owners)
    }

    /// Returns the Ingress whose namespace owns a host.
    pub(crate) fn of_host(&self, host: &HostPattern) -> Option<&ObjectReference> {
        self.0.get(host)
    }
}

/// The routes that got their host and path, sorted by them.
pub(crate) type Routes = BTreeMap<(HostPattern, PathMatch), Box<Route>>;

/// Returns the routes that get their host and path, and reports the others.
pub(crate) fn settle(
    claims: Vec<Claim>,
    owners: &Owners,
    across_namespaces: bool,
    problems: &mut Problems,
) -> Routes {
    let mut routes = Routes::new();
    let (behind, before): (Vec<_>, Vec<_>) =
        (claims.into_iter()).partition(|claim| claim.stands_back);
    for claim in before.into_iter().chain(behind) {
        let route = claim.route;
        let owner = owners.of_host(&route.host);
        let is_foreign = owner.is_some_and(|owner| owner.namespace != route.ingress.namespace);
        if is_foreign && !across_namespaces {
            // Reported once for the host. A 503 here would break paths of the owner.
            continue;
        }
        match routes.entry((route.host.clone(), route.path.clone())) {
            Entry::Vacant(vacant) => {
                vacant.insert(route);
            }
            Entry::Occupied(winner) => {
                let (winner, field) = (winner.get(), field(&route));
                problems.add(taken(&route, winner).at(&route.ingress, field));
            }
        }
    }
    routes
}

fn shared(host: &HostPattern, owner: &ObjectReference, across_namespaces: bool) -> Fault {
    if across_namespaces {
        Fault::new(
            ProblemCode::HostShared,
            format!(
                "the host {host} belongs to the namespace of the older {owner}; paths of both are served, with \
                 certificates of that namespace only"
            ),
            "Nothing, if both namespaces agree; ingress.hostsAcrossNamespaces: false in the settings file forbids it",
        )
    } else {
        Fault::new(
            ProblemCode::HostForbidden,
            format!(
                "the host {host} belongs to the namespace of the older {owner}, and the settings forbid to share it; \
                 nothing of this rule is served"
            ),
            "Use another host, or move the Ingress to that namespace",
        )
    }
}

fn taken(route: &Route, winner: &Route) -> Fault {
    let by = if route.ingress == winner.ingress {
        format!("{} of this Ingress", winner.field)
    } else {
        format!("{} of the {}", winner.field, winner.ingress)
    };
    let (host, path) = (&route.host, &route.path);
    Fault::new(
        ProblemCode::PathTaken,
        format!(
            "{path} of the host {host} is taken by {by}, which comes first; this one has no effect"
        ),
        "Remove one of the two, or give them different hosts or paths",
    )
}

/// Returns the field that asks for the path.
fn field(route: &Route) -> String {
    match route.path {
        PathMatch::Default => route.field.clone(),
        PathMatch::Exact(_) | PathMatch::Prefix(_) => format!("{}.path", route.field),
    }
}
