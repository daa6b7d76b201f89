//! What `spec.tls` of one Ingress says: which of its hosts get which Secret.
//!
//! It does not read a Secret (`certificates.rs`) and does not decide whose certificate a host gets (`hosts.rs`).

use sluice_proto::{CertificateName, HostPattern};

use crate::ingress::ServedIngress;
use crate::problem::{Fault, ProblemCode, Problems};

/// What `spec.tls` of one Ingress says.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct IngressTls {
    pub(crate) entries: Vec<TlsEntry>,
}

/// An entry of `spec.tls` that names a Secret.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct TlsEntry {
    pub(crate) index: usize,
    pub(crate) secret: String,
    pub(crate) certificate: CertificateName,
    hosts: TlsHosts,
}

#[derive(Debug, Eq, PartialEq)]
enum TlsHosts {
    /// "Defaults to the wildcard host setting for the loadbalancer controller fulfilling this Ingress, if left
    /// unspecified": all hosts of the Ingress.
    All,
    Named(Vec<HostPattern>),
}

impl IngressTls {
    pub(crate) fn of(ingress: &ServedIngress<'_>, problems: &mut Problems) -> Self {
        let mut entries: Vec<TlsEntry> = Vec::new();
        for (index, entry) in ingress.tls.iter().enumerate() {
            let hosts = hosts(ingress, index, problems);
            // "Field is left optional to allow TLS routing based on SNI hostname alone": the default certificate.
            let Some(secret) = entry.secret_name.as_deref().filter(|name| !name.is_empty()) else {
                continue;
            };
            let new = TlsEntry {
                index,
                secret: secret.to_owned(),
                certificate: CertificateName::of_secret(&ingress.reference.namespace, secret),
                hosts,
            };
            for host in new.named() {
                let earlier = entries
                    .iter()
                    .find(|earlier| earlier.named().contains(host));
                if let Some(earlier) = earlier.filter(|earlier| earlier.secret != new.secret) {
                    let fault = Fault::new(
                        ProblemCode::TlsHostRepeated,
                        format!(
                            "spec.tls[{}] has the host {host}, too; its Secret counts",
                            earlier.index
                        ),
                        "Name each host once",
                    );
                    problems.add(fault.at(&ingress.reference, format!("spec.tls[{index}].hosts")));
                }
            }
            entries.push(new);
        }
        Self { entries }
    }

    /// Returns the entry that a host of this Ingress gets its certificate from: the one that names it, else one with a
    /// wildcard for it, else one for all hosts.
    pub(crate) fn entry_for(&self, host: &HostPattern) -> Option<&TlsEntry> {
        let rank = |entry: &&TlsEntry| match &entry.hosts {
            TlsHosts::Named(hosts) if hosts.contains(host) => Some(0),
            TlsHosts::Named(hosts) if hosts.iter().any(|named| covers(named, host)) => Some(1),
            TlsHosts::Named(_) => None,
            TlsHosts::All => Some(2),
        };
        let covering = self.entries.iter().filter(|entry| rank(entry).is_some());
        covering.min_by_key(rank)
    }
}

impl TlsEntry {
    /// Returns the hosts that it names.
    pub(crate) fn named(&self) -> &[HostPattern] {
        match &self.hosts {
            TlsHosts::All => &[],
            TlsHosts::Named(hosts) => hosts,
        }
    }

    /// Returns the hosts that it is for.
    pub(crate) fn hosts_of(&self, ingress: &ServedIngress<'_>) -> Vec<HostPattern> {
        match &self.hosts {
            TlsHosts::All => ingress.hosts().map(|(host, _)| host).collect(),
            TlsHosts::Named(hosts) => hosts.clone(),
        }
    }
}

/// Returns whether whatever is for `pattern` is for every name of `host`.
pub(crate) fn covers(pattern: &HostPattern, host: &HostPattern) -> bool {
    match host {
        HostPattern::Exact(name) => pattern.matches(name),
        HostPattern::Wildcard(_) | HostPattern::Any => {
            pattern == host || *pattern == HostPattern::Any
        }
    }
}

fn hosts(ingress: &ServedIngress<'_>, index: usize, problems: &mut Problems) -> TlsHosts {
    let written = ingress
        .tls
        .get(index)
        .and_then(|entry| entry.hosts.as_deref());
    let written = written.unwrap_or_default();
    if written.is_empty() {
        return TlsHosts::All;
    }
    let mut hosts = Vec::new();
    for (position, host) in written.iter().enumerate() {
        match HostPattern::parse(host) {
            Ok(host) => hosts.push(host),
            Err(error) => {
                let fault = Fault::new(
                    ProblemCode::TlsHostInvalid,
                    format!("{error}. No client can ask for it, so it is passed over"),
                    "Write a DNS name, or *. and a DNS name",
                );
                let field = format!("spec.tls[{index}].hosts[{position}]");
                problems.add(fault.at(&ingress.reference, field));
            }
        }
    }
    TlsHosts::Named(hosts)
}
