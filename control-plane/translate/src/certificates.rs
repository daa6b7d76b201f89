//! The certificates that an Ingress and the settings name: what each Secret holds, or why there is nothing.
//!
//! It does not decide which host gets which (`hosts.rs`).

use std::collections::BTreeMap;

use sluice_proto::{Certificate, CertificateMaterial, CertificateName, HostPattern, Problem};

use crate::ingress::ServedIngress;
use crate::objects::Objects;
use crate::problem::{Fault, ProblemCode, Problems};
use crate::secret::{Malformed, lookup, reference};
use crate::settings::SecretReference;
use crate::tls::{IngressTls, TlsEntry, covers};

/// Returns the certificates that an Ingress names.
pub(crate) fn certificates(
    objects: &Objects,
    ingress: &ServedIngress<'_>,
    tls: &IngressTls,
    problems: &mut Problems,
) -> BTreeMap<CertificateName, Certificate> {
    let mut certificates = BTreeMap::new();
    for entry in &tls.entries {
        let field = format!("spec.tls[{}].secretName", entry.index);
        let namespace = &ingress.reference.namespace;
        let content = read(objects, namespace, &entry.secret, COSTS_ROUTES, problems);
        let content = content.map_err(|fault| fault.at(&ingress.reference, field));
        match &content {
            Ok(material) => report_other_hosts(ingress, entry, material, problems),
            Err(problem) => problems.add(problem.clone()),
        }
        let name = entry.certificate.clone();
        (certificates.entry(name.clone())).or_insert(Certificate { name, content });
    }
    certificates
}

/// Returns the certificate of hosts that have none.
pub(crate) fn default_certificate(
    objects: &Objects,
    secret: Option<&SecretReference>,
    own: &CertificateMaterial,
    problems: &mut Problems,
) -> Certificate {
    let name = CertificateName::default_certificate();
    match secret {
        None => Certificate {
            name,
            content: Ok(own.clone()),
        },
        Some(secret) => named_by_settings(objects, name, secret, problems),
    }
}

/// Returns the certificate that settings name for hosts that have none.
pub(crate) fn named_by_settings(
    objects: &Objects,
    name: CertificateName,
    secret: &SecretReference,
    problems: &mut Problems,
) -> Certificate {
    let (namespace, secret) = (&secret.namespace, &secret.name);
    // One that is broken is not replaced by our own: a data plane goes on serving what it had.
    let content = read(objects, namespace, secret, COSTS_HANDSHAKES, problems);
    let content = content.map_err(|fault| fault.at(&reference(namespace, secret), "data"));
    if let Err(problem) = &content {
        problems.add(problem.clone());
    }
    Certificate { name, content }
}

/// Returns whether a certificate is for a host.
pub(crate) fn is_for(material: &CertificateMaterial, host: &HostPattern) -> bool {
    let names = material.names.iter().filter(|name| *name != "*");
    let mut patterns = names.filter_map(|name| HostPattern::parse(name).ok());
    *host == HostPattern::Any || patterns.any(|pattern| covers(&pattern, host))
}

fn read(
    objects: &Objects,
    namespace: &str,
    name: &str,
    costs: &str,
    problems: &mut Problems,
) -> Result<CertificateMaterial, Fault> {
    let content = lookup(objects, namespace, name).map_err(|absent| absent.fault(costs))?;
    let malformed = match &content.certificate {
        Ok(material) => return Ok(material.clone()),
        Err(malformed) => malformed,
    };
    problems.add(malformed_secret(namespace, name, malformed));
    Err(Fault::new(
        ProblemCode::CertificateUnusable,
        format!(
            "the Secret {namespace}/{name} is malformed ({}: {}); {costs}",
            malformed.key, malformed.reason
        ),
        "Mend the Secret",
    ))
}

/// Returns the problem of a Secret that holds no certificate.
pub(crate) fn malformed_secret(namespace: &str, name: &str, malformed: &Malformed) -> Problem {
    let fault = Fault::new(
        ProblemCode::CertificateMalformed,
        format!(
            "it holds no certificate that can be served: {}",
            malformed.reason
        ),
        "Put a PEM certificate chain under tls.crt, the leaf first, and its unencrypted PEM key under tls.key",
    );
    fault.at(&reference(namespace, name), malformed.field())
}

fn report_other_hosts(
    ingress: &ServedIngress<'_>,
    entry: &TlsEntry,
    material: &CertificateMaterial,
    problems: &mut Problems,
) {
    for host in entry.hosts_of(ingress) {
        if is_for(material, &host) {
            continue;
        }
        let names = match material.names.as_slice() {
            [] => "no DNS name".to_owned(),
            names => names.join(", "),
        };
        let fault = Fault::new(
            ProblemCode::CertificateHostMismatch,
            format!(
                "the certificate of the Secret {} is for {names}, not for {host}; it is served, but clients will refuse it",
                entry.secret
            ),
            format!("Put a certificate for {host} into the Secret, or name another Secret"),
        );
        problems.add(fault.at(
            &ingress.reference,
            format!("spec.tls[{}].secretName", entry.index),
        ));
    }
}

const COSTS_ROUTES: &str = "where no earlier certificate of that name is still valid, the routes that ask for it answer 503";
const COSTS_HANDSHAKES: &str = "the settings name it as the defaultCertificate, so where no earlier one is still valid, \
    TLS clients of hosts without a certificate are refused";
