//! Who this data plane is to the control plane: the folder that the control plane made for data planes.
//!
//! It is read anew at each use, so that renewed certificates need no restart. Nothing of it is ever shown.

use std::fmt;
use std::fs;
use std::io;
use std::iter;
use std::path::{Path, PathBuf};

use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tonic::transport::{self, Certificate, ClientTlsConfig};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

/// What this data plane shows to the control plane, and whom it trusts. `Debug` shows none of it.
pub struct Identity {
    authority: Vec<u8>,
    certificate: Vec<u8>,
    key: Vec<u8>,
    /// When the certificate ends, in seconds since 1970.
    pub not_after_unix_s: i64,
}

impl Identity {
    /// Reads it from this folder.
    ///
    /// # Errors
    ///
    /// If a file cannot be read, or does not hold what it should.
    pub fn read(folder: &Path) -> Result<Self, IdentityError> {
        let authority = read(folder, AUTHORITY)?;
        let certificate = read(folder, CERTIFICATE)?;
        let key = read(folder, KEY)?;
        let content = |name, what| IdentityError::Content {
            path: folder.join(name),
            what,
        };
        leaf(&authority).ok_or_else(|| content(AUTHORITY, "a PEM certificate"))?;
        let leaf = leaf(&certificate).ok_or_else(|| content(CERTIFICATE, "a PEM certificate"))?;
        let not_after_unix_s =
            not_after(&leaf).ok_or_else(|| content(CERTIFICATE, "an X.509 certificate"))?;
        PrivateKeyDer::from_pem_slice(&key).map_err(|_| content(KEY, "a PEM private key"))?;
        Ok(Self {
            authority,
            certificate,
            key,
            not_after_unix_s,
        })
    }

    /// Returns the TLS configuration of the stream.
    #[must_use]
    pub fn tls_config(&self) -> ClientTlsConfig {
        let identity = transport::Identity::from_pem(&self.certificate, &self.key);
        ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(&self.authority))
            .identity(identity)
            .domain_name(CONTROL_PLANE_NAME)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").finish_non_exhaustive()
    }
}

/// The secrets that all data planes share: keys for the copy on disk are derived from them. `Debug` shows none of them.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct SealKeys {
    /// What is sealed with from now on.
    pub current: [u8; 32],
    /// What was sealed with before, and is still accepted.
    pub previous: Option<[u8; 32]>,
}

/// Returns the secrets that the copy on disk is sealed with.
///
/// # Errors
///
/// If a file cannot be read, or does not hold 32 bytes in hexadecimal. Only the previous one may be missing.
pub fn seal_keys(folder: &Path) -> Result<SealKeys, IdentityError> {
    let previous = match seal_key(folder, PREVIOUS_SEAL_KEY) {
        Ok(key) => Some(key),
        Err(IdentityError::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    Ok(SealKeys {
        current: seal_key(folder, SEAL_KEY)?,
        previous,
    })
}

impl SealKeys {
    /// Returns them, the current one first.
    pub fn iter(&self) -> impl Iterator<Item = &[u8; 32]> {
        iter::once(&self.current).chain(&self.previous)
    }
}

impl fmt::Debug for SealKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealKeys").finish_non_exhaustive()
    }
}

/// Why there is no identity: whoever mounted the folder is at fault.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// A file does not hold what it should.
    #[error(
        "{} does not hold {what}; --identity-dir must be the data-plane folder that the control plane makes", path.display()
    )]
    Content {
        /// Which.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
    },
    /// A file cannot be read.
    #[error(
        "cannot read {}; --identity-dir must be the data-plane folder that the control plane makes", path.display()
    )]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The seal key is not one.
    #[error("{} does not hold 64 hexadecimal digits; restart the control plane without it to have it made", path.display())]
    SealKey {
        /// Where.
        path: PathBuf,
    },
}

fn read(folder: &Path, name: &str) -> Result<Vec<u8>, IdentityError> {
    let path = folder.join(name);
    fs::read(&path).map_err(|source| IdentityError::File { path, source })
}

fn seal_key(folder: &Path, name: &str) -> Result<[u8; 32], IdentityError> {
    let text = String::from_utf8(read(folder, name)?).unwrap_or_default();
    parse_hex(text.trim()).ok_or_else(|| IdentityError::SealKey {
        path: folder.join(name),
    })
}

fn leaf(pem: &[u8]) -> Option<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem).next()?.ok()
}

fn not_after(leaf: &CertificateDer<'_>) -> Option<i64> {
    let (_, certificate) = X509Certificate::from_der(leaf).ok()?;
    Some(certificate.validity().not_after.timestamp())
}

fn parse_hex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 2 * bytes.len() || !text.is_ascii() {
        return None;
    }
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(bytes)
}

/// The name in the control plane's certificate, whatever address is dialled.
const CONTROL_PLANE_NAME: &str = "control-plane.sluice.internal";
const AUTHORITY: &str = "ca.crt";
const CERTIFICATE: &str = "tls.crt";
const KEY: &str = "tls.key";
const SEAL_KEY: &str = "seal.key";
const PREVIOUS_SEAL_KEY: &str = "seal.key.previous";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_key_is_64_hexadecimal_digits() {
        assert_eq!(parse_hex(&"0f".repeat(32)), Some([15; 32]));
        for text in [
            "",
            "0f",
            &"0g".repeat(32),
            &"é".repeat(32),
            &"0f".repeat(33),
        ] {
            assert_eq!(parse_hex(text), None, "{text}");
        }
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = seal_keys(Path::new("/nowhere")).unwrap_err();
        assert!(error.to_string().contains("/nowhere/seal.key"), "{error}");
        let error = Identity::read(Path::new("/nowhere")).unwrap_err();
        assert!(error.to_string().contains("/nowhere/ca.crt"), "{error}");
    }

    #[test]
    fn the_previous_seal_key_may_be_missing_and_no_garbage() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write(SEAL_KEY, &"0f".repeat(32));
        let keys = seal_keys(folder.path()).unwrap();
        assert_eq!((keys.current, keys.previous), ([15; 32], None));
        write(PREVIOUS_SEAL_KEY, &format!("{}\n", "0e".repeat(32)));
        let keys = seal_keys(folder.path()).unwrap();
        assert_eq!(keys.iter().collect::<Vec<_>>(), [&[15; 32], &[14; 32]]);
        assert_eq!(format!("{keys:?}"), "SealKeys { .. }");
        write(PREVIOUS_SEAL_KEY, "0e");
        let error = seal_keys(folder.path()).unwrap_err().to_string();
        assert!(error.contains(PREVIOUS_SEAL_KEY), "{error}");
    }

    #[test]
    fn a_file_of_something_else_is_named_and_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        let rcgen::CertifiedKey { cert, signing_key } =
            rcgen::generate_simple_self_signed(["data-plane".to_owned()]).unwrap();
        let good = [
            (AUTHORITY, cert.pem()),
            (CERTIFICATE, cert.pem()),
            (KEY, signing_key.serialize_pem()),
        ];
        let write = |files: &[(&str, String)]| {
            for (name, content) in files {
                fs::write(folder.path().join(name), content).unwrap();
            }
        };
        write(&good);
        let identity = Identity::read(folder.path()).unwrap();
        assert!(identity.not_after_unix_s > 0);
        assert_eq!(format!("{identity:?}"), "Identity { .. }");
        for (name, expected) in [
            (AUTHORITY, "a PEM certificate"),
            (CERTIFICATE, "a PEM certificate"),
            (KEY, "a PEM private key"),
        ] {
            for content in ["", "secret", "-----BEGIN CERTIFICATE-----\nsecret\n"] {
                write(&good);
                write(&[(name, content.to_owned())]);
                let error = Identity::read(folder.path()).unwrap_err().to_string();
                assert!(error.contains(name) && error.contains(expected), "{error}");
                assert!(!error.contains("secret"), "{error}");
            }
        }
    }
}
