//! Certificates of authorities, by which servers behind the edge are authenticated.

use bytes::Bytes;
use k8s_openapi::api::core::v1::Secret;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::secret::{Malformed, certificates, find, only};

/// Returns the certificates (DER) of a Secret.
pub(super) fn authorities(secret: &Secret) -> Result<Vec<Bytes>, Malformed> {
    let named = KEYS.iter().find_map(|key| Some((*key, find(secret, key)?)));
    let (key, value) = match named {
        Some(named) => named,
        None => only(secret).ok_or_else(|| Malformed::new("ca.crt", "there is no such key"))?,
    };
    let certificates = certificates(key, value)?;
    let first = certificates.first().map_or(&[][..], |first| first);
    match X509Certificate::from_der(first) {
        Ok(_) => Ok(certificates),
        Err(_) => Err(Malformed::new(
            key.to_owned(),
            "its first certificate is no X.509 certificate",
        )),
    }
}

/// The first that is there counts.
const KEYS: [&str; 2] = ["tls.ca", "ca.crt"];
