//! What TLS clients of each host get: whose certificate, and whether they are asked for one of their own.
//!
//! A certificate for a host comes only from the namespace of the oldest Ingress that claims the host: nobody else can
//! put a certificate of theirs before its clients. It does not read Secrets (`certificates.rs`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sluice_proto::{
    Certificate, CertificateName, Host, HostPattern, ObjectReference, PathMatch, PolicyAction,
    PolicyName, Route, SettingsName, TlsVersion,
};

use crate::certificates::is_for;
use crate::claims;
use crate::problem::{Fault, ProblemCode, Problems};
use crate::reading::Reading;

/// What became of one host that rules or `spec.tls` name.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct SettledHost {
    pub(crate) host: Host,
    /// By name.
    pub(crate) routes: BTreeMap<Arc<str>, Arc<Route>>,
    pub(crate) problems: Problems,
    below: Below,
}

/// What of a wildcard the hosts below it depend on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Below {
    /// The oldest Ingress that has a rule for it.
    owner: Option<ObjectReference>,
    /// Whose certificates it gets.
    namespace: String,
    certificate: Option<CertificateName>,
    client_certificates: Vec<PolicyName>,
    tls_minimum_version: TlsVersion,
}

impl SettledHost {
    /// Settles a host among the Ingresses that want it, which come in the order in which they count, below the wildcard
    /// above it. `None` if nobody wants it.
    pub(crate) fn of(
        pattern: &HostPattern,
        wanting: &[&Reading],
        wildcard: Option<&Below>,
        across_namespaces: bool,
    ) -> Option<Self> {
        let oldest = wanting.first()?;
        let mut problems = Problems::default();
        let rule_owner = claims::owner(pattern, wanting, across_namespaces, &mut problems);
        let routes = claims::settle(
            pattern,
            wanting,
            rule_owner,
            across_namespaces,
            &mut problems,
        );
        // Who has a rule for it owns it, else who has one for the wildcard that takes its requests.
        let owner = rule_owner
            .or_else(|| wildcard?.owner.as_ref())
            .unwrap_or(&oldest.reference);
        let candidates = candidates(pattern, wanting, owner, &mut problems);
        let certificate = best(&candidates, pattern);
        let of_wildcard = wildcard
            .filter(|wildcard| wildcard.namespace == owner.namespace)
            .and_then(|wildcard| wildcard.certificate.clone());
        let (client_certificates, tls_minimum_version) = match wildcard {
            // Its requests are those of the wildcard.
            Some(wildcard) if routes.is_empty() => (
                wildcard.client_certificates.clone(),
                wildcard.tls_minimum_version,
            ),
            wildcard => {
                let mut asked_for = client_certificates(routes.values(), wanting);
                // Paths that no route of the host takes are the wildcard's.
                if let Some(wildcard) = wildcard.filter(|_| !takes_all_paths(&routes)) {
                    asked_for.extend(wildcard.client_certificates.iter().cloned());
                    asked_for.sort();
                    asked_for.dedup();
                }
                (asked_for, tls_minimum_version(pattern, wanting, owner))
            }
        };
        Some(Self {
            host: Host {
                pattern: pattern.clone(),
                certificate: certificate.clone().or(of_wildcard),
                settings: settings(pattern, wanting),
                client_certificates: client_certificates.clone(),
                tls_minimum_version,
            },
            routes: (routes.into_values())
                .map(|route| (Arc::clone(&route.name), route))
                .collect(),
            problems,
            below: Below {
                owner: rule_owner.cloned(),
                namespace: owner.namespace.clone(),
                certificate,
                client_certificates,
                tls_minimum_version,
            },
        })
    }

    pub(crate) const fn below(&self) -> &Below {
        &self.below
    }
}

/// Returns the wildcard above a host.
pub(crate) fn wildcard(pattern: &HostPattern) -> Option<HostPattern> {
    match pattern {
        HostPattern::Exact(name) => {
            let (_, parent) = name.split_once('.')?;
            Some(HostPattern::Wildcard(parent.into()))
        }
        HostPattern::Wildcard(_) | HostPattern::Any => None,
    }
}

/// Returns the settings that hold for TLS clients of a host: of the class of the oldest Ingress with a rule for it, or of
/// the oldest that names it at all.
fn settings(pattern: &HostPattern, wanting: &[&Reading]) -> SettingsName {
    let ruling = wanting.iter().find(|own| own.rules.contains_key(pattern));
    let oldest = ruling.or_else(|| wanting.first());
    oldest.map_or(SettingsName::EDGE, |oldest| oldest.settings.clone())
}

fn takes_all_paths(routes: &BTreeMap<PathMatch, Arc<Route>>) -> bool {
    let takes_all = |path: &PathMatch| match path {
        PathMatch::Default => true,
        PathMatch::Prefix(prefix) => prefix.is_empty(),
        PathMatch::Exact(_) => false,
    };
    routes.keys().any(takes_all)
}

/// Returns the lowest version of TLS that clients of a host may speak, as the Ingresses of its owner's namespace have it: no
/// guest locks out the owner's clients.
fn tls_minimum_version(
    pattern: &HostPattern,
    wanting: &[&Reading],
    owner: &ObjectReference,
) -> TlsVersion {
    let of_owner = wanting.iter().filter(|own| {
        own.reference.namespace == owner.namespace && own.rules.contains_key(pattern)
    });
    let versions = of_owner.map(|own| own.tls_minimum_version);
    versions.max().unwrap_or_default()
}

/// Returns the policies of routes for which TLS clients must be asked for a certificate, sorted.
fn client_certificates<'a>(
    routes: impl Iterator<Item = &'a Arc<Route>>,
    wanting: &[&Reading],
) -> Vec<PolicyName> {
    let asks = |name: &&PolicyName| {
        let mut policies = wanting.iter().filter_map(|own| own.policies.get(*name));
        policies.any(|policy| matches!(policy.action, PolicyAction::ClientCertificate(_)))
    };
    let names: BTreeSet<_> = routes
        .flat_map(|route| &route.policies)
        .filter(asks)
        .collect();
    names.into_iter().cloned().collect()
}

/// Returns the certificates that Ingresses of the owner's namespace name for a host, and reports the other Ingresses.
fn candidates<'a>(
    pattern: &HostPattern,
    wanting: &[&'a Reading],
    owner: &ObjectReference,
    problems: &mut Problems,
) -> Vec<&'a Certificate> {
    let mut candidates = Vec::new();
    for reading in wanting {
        let Some(entry) = reading.tls.entry_for(pattern) else {
            continue;
        };
        if reading.reference.namespace == owner.namespace {
            candidates.extend(reading.certificates.get(&entry.certificate));
        } else {
            let fault = not_used(pattern, owner);
            problems.add(fault.at(&reading.reference, format!("spec.tls[{}]", entry.index)));
        }
    }
    candidates
}

/// Returns the certificate that serves the host best: one that can be served before one that cannot, one for the host
/// before one for others, and then that of the older Ingress.
fn best(candidates: &[&Certificate], pattern: &HostPattern) -> Option<CertificateName> {
    let rank = |certificate: &&&Certificate| match &certificate.content {
        Ok(material) if is_for(material, pattern) => 0,
        Ok(_) => 1,
        Err(_) => 2,
    };
    // Of equals, the first is the least.
    let best = candidates.iter().min_by_key(rank);
    best.map(|certificate| certificate.name.clone())
}

fn not_used(host: &HostPattern, owner: &ObjectReference) -> Fault {
    Fault::new(
        ProblemCode::CertificateNotUsed,
        format!(
            "the host {host} belongs to the namespace of the older {owner}; TLS clients of it get a certificate of \
             that namespace, or the default one"
        ),
        "Name the certificate in an Ingress of that namespace, or use another host",
    )
}
