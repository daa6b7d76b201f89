//! What TLS clients of each host get: whose certificate.
//!
//! A certificate for a host comes only from the namespace of the oldest Ingress that claims the host: nobody else can
//! put a certificate of theirs before its clients. It does not read Secrets (`certificates.rs`).

use std::collections::{BTreeMap, BTreeSet};

use sluice_proto::{CertificateName, Host, HostPattern, ObjectReference};

use crate::certificates::{Certificates, is_for};
use crate::claims::Owners;
use crate::ingress::ServedIngress;
use crate::problem::{Fault, ProblemCode, Problems};
use crate::tls::IngressTls;

/// Returns the hosts that rules and `spec.tls` name, sorted. The Ingresses come in the order in which they count.
pub(crate) fn hosts(
    served: &[(ServedIngress<'_>, IngressTls)],
    owners: &Owners,
    certificates: &Certificates,
    problems: &mut Problems,
) -> Vec<Host> {
    let mut found: BTreeMap<HostPattern, Found<'_>> = BTreeMap::new();
    for (pattern, ingresses) in wanted(served) {
        let oldest = ingresses.first().map(|(ingress, _)| &ingress.reference);
        let Some(owner) = owner(&pattern, owners).or(oldest) else {
            continue;
        };
        let mut candidates = Vec::new();
        for (ingress, tls) in &ingresses {
            let Some(entry) = tls.entry_for(&pattern) else {
                continue;
            };
            if ingress.reference.namespace == owner.namespace {
                candidates.push(&entry.certificate);
            } else {
                let fault = not_used(&pattern, owner);
                problems.add(fault.at(&ingress.reference, format!("spec.tls[{}]", entry.index)));
            }
        }
        let certificate = best(&candidates, &pattern, certificates);
        found.insert(pattern, Found { owner, certificate });
    }
    let host = |(pattern, own): (&HostPattern, &Found<'_>)| Host {
        pattern: pattern.clone(),
        certificate: (own.certificate.clone()).or_else(|| of_wildcard(pattern, own, &found)),
    };
    found.iter().map(host).collect()
}

/// A host, before it is looked at beside its wildcard.
struct Found<'a> {
    owner: &'a ObjectReference,
    certificate: Option<CertificateName>,
}

type Wanted<'a, 'b> = BTreeMap<HostPattern, Vec<&'a (ServedIngress<'b>, IngressTls)>>;

/// Returns each host with the Ingresses that have a rule or an entry of `spec.tls` for it.
fn wanted<'a, 'b>(served: &'a [(ServedIngress<'b>, IngressTls)]) -> Wanted<'a, 'b> {
    let mut wanted = Wanted::new();
    for both in served {
        let (ingress, tls) = both;
        let rules = ingress.hosts().map(|(host, _)| host);
        let named = tls
            .entries
            .iter()
            .flat_map(|entry| entry.named().iter().cloned());
        for host in rules.chain(named).collect::<BTreeSet<_>>() {
            wanted.entry(host).or_default().push(both);
        }
    }
    wanted
}

/// Returns who owns a host: who has a rule for it, else for the wildcard that takes its requests.
fn owner<'a>(pattern: &HostPattern, owners: &'a Owners) -> Option<&'a ObjectReference> {
    let own = owners.of_host(pattern);
    own.or_else(|| owners.of_host(&wildcard(pattern)?))
}

/// Returns the certificate of the wildcard above a host, if it belongs to the same namespace.
fn of_wildcard(
    pattern: &HostPattern,
    own: &Found<'_>,
    found: &BTreeMap<HostPattern, Found<'_>>,
) -> Option<CertificateName> {
    let wildcard = found.get(&wildcard(pattern)?)?;
    let is_same = wildcard.owner.namespace == own.owner.namespace;
    wildcard.certificate.clone().filter(|_| is_same)
}

fn wildcard(pattern: &HostPattern) -> Option<HostPattern> {
    match pattern {
        HostPattern::Exact(name) => {
            let (_, parent) = name.split_once('.')?;
            Some(HostPattern::Wildcard(parent.into()))
        }
        HostPattern::Wildcard(_) | HostPattern::Any => None,
    }
}

/// Returns the certificate that serves the host best: one that can be served before one that cannot, one for the host
/// before one for others, and then that of the older Ingress.
fn best(
    candidates: &[&CertificateName],
    pattern: &HostPattern,
    certificates: &Certificates,
) -> Option<CertificateName> {
    let rank = |name: &&&CertificateName| {
        let content = certificates
            .get(**name)
            .map(|certificate| &certificate.content);
        match content {
            Some(Ok(material)) if is_for(material, pattern) => 0,
            Some(Ok(_)) => 1,
            _ => 2,
        }
    };
    // Of equals, the first is the least.
    candidates
        .iter()
        .min_by_key(rank)
        .map(|name| (*name).clone())
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
