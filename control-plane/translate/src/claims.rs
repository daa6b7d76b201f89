//! Who gets a host, and who gets a path of it, where several Ingresses want it.
//!
//! It does not make routes (`routes.rs`). Ingresses come in the order in which they count, so the first one wins.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use sluice_proto::{HostPattern, ObjectReference, PathMatch, Route};

use crate::problem::{Fault, ProblemCode, Problems};
use crate::reading::Reading;

/// Returns the oldest Ingress that has a rule for a host, whose namespace owns it, and reports whoever shares the host
/// with an owner of another namespace.
pub(crate) fn owner<'a>(
    host: &HostPattern,
    wanting: &[&'a Reading],
    across_namespaces: bool,
    problems: &mut Problems,
) -> Option<&'a ObjectReference> {
    let mut owner: Option<&ObjectReference> = None;
    for reading in wanting {
        let Some(rules) = reading.rules.get(host) else {
            continue;
        };
        let owner = *owner.get_or_insert(&reading.reference);
        if owner.namespace != reading.reference.namespace {
            for field in &rules.fields {
                let fault = shared(host, owner, across_namespaces);
                problems.add(fault.at(&reading.reference, field.clone()));
            }
        }
    }
    owner
}

/// Returns the routes that get their path of a host, and reports the others.
pub(crate) fn settle(
    host: &HostPattern,
    wanting: &[&Reading],
    owner: Option<&ObjectReference>,
    across_namespaces: bool,
    problems: &mut Problems,
) -> BTreeMap<PathMatch, Arc<Route>> {
    let mut routes = BTreeMap::new();
    let claims = wanting
        .iter()
        .filter_map(|reading| reading.rules.get(host))
        .flat_map(|rules| &rules.claims);
    let mut wanted = Vec::new();
    for claim in claims {
        let mut route = Arc::clone(&claim.route);
        if owner.is_some_and(|owner| owner.namespace != route.ingress.namespace) {
            if !across_namespaces {
                // Reported once for the host. A 503 here would break paths of the owner.
                continue;
            }
            // Else a guest could have all requests of the host.
            if route.priority.is_some() {
                Arc::make_mut(&mut route).priority = None;
                problems.add(of_guest(host).at(&route.ingress, route.field.clone()));
            }
        }
        wanted.push((claim.stands_back, route));
    }
    // Of equals, the first one counts.
    wanted.sort_by_key(|(behind, route)| (*behind, Reverse(route.effective_priority())));
    for (_, route) in wanted {
        match routes.entry(route.path.clone()) {
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

fn of_guest(host: &HostPattern) -> Fault {
    Fault::new(
        ProblemCode::PriorityIgnored,
        format!(
            "the host {host} belongs to another namespace, so that router.priority of this Ingress has no effect there"
        ),
        "Remove the annotation, or move the Ingress to that namespace",
    )
}

fn shared(host: &HostPattern, owner: &ObjectReference, across_namespaces: bool) -> Fault {
    if across_namespaces {
        Fault::new(
            ProblemCode::HostShared,
            format!(
                "the host {host} belongs to the namespace of the older {owner}; paths of both are served, with \
                 certificates of that namespace only"
            ),
            "Nothing, if both namespaces agree; ingress.hostsAcrossNamespaces: false in the settings forbids it",
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
