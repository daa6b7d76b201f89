//! Reads a Secret: PEM to the DER that a TLS handshake needs, with the names and the time it is valid.
//!
//! It does not say what a broken Secret costs, and cannot check that the key belongs to the certificate (a data plane
//! does): no cryptography here. No error shows any byte of a key.

use bytes::Bytes;
use k8s_openapi::api::core::v1::Secret;
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use sluice_proto::CertificateMaterial;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Why a Secret holds no certificate: which of its keys is at fault, and why.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Malformed {
    pub(crate) key: &'static str,
    pub(crate) reason: String,
}

/// Returns what a Secret holds under `tls.crt` and `tls.key`. Its type does not matter.
pub(crate) fn material(secret: &Secret) -> Result<CertificateMaterial, Malformed> {
    let chain = chain(&value(secret, CERTIFICATE)?)?;
    let private_key = private_key(&value(secret, PRIVATE_KEY)?)?;
    let malformed = |reason: String| Malformed {
        key: CERTIFICATE,
        reason,
    };
    let leaf = chain
        .first()
        .ok_or_else(|| malformed(NO_CERTIFICATE.to_owned()))?;
    let (_, leaf) = X509Certificate::from_der(leaf)
        .map_err(|_| malformed("its first certificate is no X.509 certificate".to_owned()))?;
    let validity = leaf.validity();
    Ok(CertificateMaterial {
        names: names(&leaf).map_err(malformed)?,
        not_before_unix_s: validity.not_before.timestamp(),
        not_after_unix_s: validity.not_after.timestamp(),
        chain,
        private_key,
    })
}

/// Returns the value of a key. `stringData` is what users write and the API server moves to `data`.
fn value(secret: &Secret, key: &'static str) -> Result<Bytes, Malformed> {
    let text = secret.string_data.as_ref().and_then(|data| data.get(key));
    let data = secret.data.as_ref().and_then(|data| data.get(key));
    let value = text.map_or_else(
        || data.map(|value| Bytes::copy_from_slice(&value.0)),
        |value| Some(Bytes::copy_from_slice(value.as_bytes())),
    );
    let malformed = |reason: &str| Malformed {
        key,
        reason: reason.to_owned(),
    };
    match value {
        None => Err(malformed("there is no such key")),
        Some(value) if value.is_empty() => Err(malformed("it is empty")),
        Some(value) => Ok(value),
    }
}

fn chain(value: &[u8]) -> Result<Vec<Bytes>, Malformed> {
    let malformed = |reason: String| Malformed {
        key: CERTIFICATE,
        reason,
    };
    let chain = CertificateDer::pem_slice_iter(value)
        .map(|der| der.map(|der| Bytes::from(der.to_vec())))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| malformed(pem_fault(&error).to_owned()))?;
    for (index, der) in chain.iter().enumerate().skip(1) {
        if X509Certificate::from_der(der).is_err() {
            return Err(malformed(format!(
                "its certificate {} is no X.509 certificate",
                index + 1
            )));
        }
    }
    Ok(chain)
}

fn private_key(value: &[u8]) -> Result<Bytes, Malformed> {
    let malformed = |reason: &str| Malformed {
        key: PRIVATE_KEY,
        reason: reason.to_owned(),
    };
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
fn names(leaf: &X509Certificate<'_>) -> Result<Vec<String>, String> {
    let extension = leaf
        .subject_alternative_name()
        .map_err(|_| "the names of its first certificate cannot be read".to_owned())?;
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

const CERTIFICATE: &str = "tls.crt";
const PRIVATE_KEY: &str = "tls.key";
const NO_CERTIFICATE: &str = "there is no PEM section CERTIFICATE";
const ENCRYPTED: [&[u8]; 2] = [b"BEGIN ENCRYPTED", b"4,ENCRYPTED"];
