//! What of a Secret is kept: what routes and policies may need of it, read once. So memory holds nothing else.
//!
//! It does not say what a broken Secret costs: whoever refers to it does, by what it needs. No error shows any byte of a key,
//! a password or a hash.

mod authorities;
mod certificate;
mod credentials;
mod lookup;

use std::borrow::Cow;

use bytes::Bytes;
use k8s_openapi::api::core::v1::Secret;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::{self, PemObject};
use sluice_proto::{CertificateMaterial, Credential};
use x509_parser::prelude::{FromDer, X509Certificate};

pub(crate) use crate::secret::lookup::{lookup, reference};

/// What a Secret holds, whatever its type: each part, or why it is none.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Content {
    /// For TLS: under `tls.crt` and `tls.key`.
    pub(crate) certificate: Result<CertificateMaterial, Malformed>,
    /// Of users: as `htpasswd` writes them, under any one key, or of the type `kubernetes.io/basic-auth`.
    pub(crate) credentials: Result<Vec<Credential>, Malformed>,
    /// Certificates (DER) of authorities: under `tls.ca` or `ca.crt`, or any one key.
    pub(crate) authorities: Result<Vec<Bytes>, Malformed>,
}

/// Why a Secret does not hold something: which of its keys is at fault, and why.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Malformed {
    /// Empty if no one key is at fault.
    pub(crate) key: Cow<'static, str>,
    pub(crate) reason: Cow<'static, str>,
}

impl Content {
    pub(crate) fn of(secret: &Secret) -> Self {
        Self {
            certificate: certificate::material(secret),
            credentials: credentials::credentials(secret),
            authorities: authorities::authorities(secret),
        }
    }
}

impl Malformed {
    fn new(key: impl Into<Cow<'static, str>>, reason: impl Into<Cow<'static, str>>) -> Self {
        Self {
            key: key.into(),
            reason: reason.into(),
        }
    }

    /// Returns the field of the Secret.
    pub(crate) fn field(&self) -> String {
        match &*self.key {
            "" => "data".to_owned(),
            key => format!("data[{key}]"),
        }
    }
}

/// Returns the value of a key.
fn value<'a>(secret: &'a Secret, key: &'static str) -> Result<&'a [u8], Malformed> {
    match find(secret, key) {
        None => Err(Malformed::new(key, "there is no such key")),
        Some([]) => Err(Malformed::new(key, "it is empty")),
        Some(value) => Ok(value),
    }
}

/// Returns the value of a key, if there is one. `stringData` is what users write and the API server moves to `data`.
fn find<'a>(secret: &'a Secret, key: &str) -> Option<&'a [u8]> {
    let text = secret.string_data.as_ref().and_then(|data| data.get(key));
    let data = secret.data.as_ref().and_then(|data| data.get(key));
    text.map(String::as_bytes)
        .or_else(|| data.map(|value| value.0.as_slice()))
}

/// Returns the only key of a Secret, with its value.
fn only(secret: &Secret) -> Option<(&str, &[u8])> {
    let texts = secret.string_data.iter().flat_map(|data| data.keys());
    let data = secret.data.iter().flat_map(|data| data.keys());
    let mut keys: Vec<&String> = texts.chain(data).collect();
    keys.sort();
    keys.dedup();
    match keys.as_slice() {
        [key] => Some((key, find(secret, key).unwrap_or_default())),
        _ => None,
    }
}

/// Returns the certificates of a PEM text, of which the first may be anything.
fn certificates(key: &str, value: &[u8]) -> Result<Vec<Bytes>, Malformed> {
    let malformed = |reason: Cow<'static, str>| Malformed::new(key.to_owned(), reason);
    let certificates = CertificateDer::pem_slice_iter(value)
        .map(|der| der.map(|der| Bytes::from(der.to_vec())))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| malformed(pem_fault(&error).into()))?;
    for (index, der) in certificates.iter().enumerate().skip(1) {
        if X509Certificate::from_der(der).is_err() {
            let reason = format!("its certificate {} is no X.509 certificate", index + 1);
            return Err(malformed(reason.into()));
        }
    }
    if certificates.is_empty() {
        return Err(malformed("there is no PEM section CERTIFICATE".into()));
    }
    Ok(certificates)
}

/// Returns what is wrong, without what the library says: that quotes the text, which may be a key.
const fn pem_fault(error: &pem::Error) -> &'static str {
    match error {
        pem::Error::MissingSectionEnd { .. } => "a PEM section has no END line",
        pem::Error::IllegalSectionStart { .. } => "a PEM section has a malformed BEGIN line",
        pem::Error::Base64Decode(_) => "a PEM section is not base64",
        pem::Error::NoItemsFound => "there is no PEM section of the right kind",
        _ => "it is no PEM",
    }
}
