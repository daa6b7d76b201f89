//! A certificate and its key: PEM to the DER that a TLS handshake needs, with the names and the time it is valid.
//!
//! It cannot check that the key belongs to the certificate (a data plane does): no cryptography here.

use bytes::Bytes;
use k8s_openapi::api::core::v1::Secret;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use sluice_proto::CertificateMaterial;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::secret::{Malformed, certificates, pem_fault, value};

/// Returns what a Secret holds under `tls.crt` and `tls.key`.
pub(super) fn material(secret: &Secret) -> Result<CertificateMaterial, Malformed> {
    let chain = certificates(CERTIFICATE, value(secret, CERTIFICATE)?)?;
    let private_key = private_key(value(secret, PRIVATE_KEY)?)?;
    let leaf = chain.first().map_or(&[][..], |leaf| leaf);
    let (_, leaf) = X509Certificate::from_der(leaf).map_err(|_| {
        Malformed::new(CERTIFICATE, "its first certificate is no X.509 certificate")
    })?;
    let validity = leaf.validity();
    Ok(CertificateMaterial {
        names: names(&leaf)?,
        not_before_unix_s: validity.not_before.timestamp(),
        not_after_unix_s: validity.not_after.timestamp(),
        chain,
        private_key,
    })
}

fn private_key(value: &[u8]) -> Result<Bytes, Malformed> {
    let malformed = |reason: &'static str| Malformed::new(PRIVATE_KEY, reason);
    let contains = |text: &[u8]| value.windows(text.len()).any(|window| window == text);
    if ENCRYPTED.into_iter().any(contains) {
        return Err(malformed("the key is encrypted"));
    }
    let key = PrivateKeyDer::from_pem_slice(value).map_err(|error| malformed(pem_fault(&error)))?;
    let der = key.secret_der();
    if der.is_empty() {
        return Err(malformed("the key is empty"));
    }
    Ok(Bytes::copy_from_slice(der))
}

/// Returns the DNS names. "If a subjectAltName extension of type dNSName is present, that MUST be used as the identity";
/// clients have stopped to look at the common name at all.
fn names(leaf: &X509Certificate<'_>) -> Result<Vec<String>, Malformed> {
    let extension = leaf.subject_alternative_name().map_err(|_| {
        Malformed::new(
            CERTIFICATE,
            "the names of its first certificate cannot be read",
        )
    })?;
    let names = extension
        .iter()
        .flat_map(|extension| &extension.value.general_names);
    let mut names: Vec<_> = names
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
            _ => None,
        })
        .collect();
    names.sort();
    names.dedup();
    Ok(names)
}

const CERTIFICATE: &str = "tls.crt";
const PRIVATE_KEY: &str = "tls.key";
const ENCRYPTED: [&[u8]; 2] = [b"BEGIN ENCRYPTED", b"4,ENCRYPTED"];
