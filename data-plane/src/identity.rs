//! Who this data plane is to the control plane: the folder that the control plane made for data planes.
//!
//! It is read anew at each use, so that renewed certificates need no restart; `follow.rs` notices what changes between the
//! uses. Nothing of it is ever shown.

mod follow;
mod metrics;

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

pub(crate) use crate::identity::follow::Follow;

/// What this data plane shows to the control plane, and whom it trusts. `Debug` shows none of it.
pub struct Identity {
    authority: Vec<u8>,
    certificate: Vec<u8>,
    key: Vec<u8>,
    lifetimes: [CertificateLifetime; 2],
}

/// From when to when a certificate is valid.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CertificateLifetime {
    /// `data-plane` for what it shows, or `authority` for the one that signs.
    pub name: &'static str,
    /// From then, in seconds since 1970.
    pub not_before_unix_s: i64,
    /// Until then, in seconds since 1970.
    pub not_after_unix_s: i64,
}

impl Identity {
    /// Reads it from this folder.
    ///
    /// # Errors
    ///
    /// If a file cannot be read, or does not hold what it should.
    pub fn read(folder: &Path) -> Result<Self, IdentityError> {
        let mount = Mount::of(folder);
        let authority = mount.read(AUTHORITY)?;
        let certificate = mount.read(CERTIFICATE)?;
        let key = mount.read(KEY)?;
        let lifetimes = [
            // The one that signs is the first; the others are trusted, too.
            lifetime("authority", &authority).map_err(|what| mount.content(AUTHORITY, what))?,
            lifetime("data-plane", &certificate)
                .map_err(|what| mount.content(CERTIFICATE, what))?,
        ];
        PrivateKeyDer::from_pem_slice(&key).map_err(|_| mount.content(KEY, "a PEM private key"))?;
        Ok(Self {
            authority,
            certificate,
            key,
            lifetimes,
        })
    }

    /// Returns from when to when the certificates are valid, for metrics.
    #[must_use]
    pub const fn lifetimes(&self) -> [CertificateLifetime; 2] {
        self.lifetimes
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

/// Returns what tells this installation from another one on the same node.
///
/// # Errors
///
/// If the file cannot be read, or does not hold 16 bytes in hexadecimal.
pub fn installation(folder: &Path) -> Result<[u8; 16], IdentityError> {
    let mount = Mount::of(folder);
    mount.hex(INSTALLATION, "32 hexadecimal digits")
}

/// Returns the secrets that the copy on disk is sealed with.
///
/// # Errors
///
/// If a file cannot be read, or does not hold 32 bytes in hexadecimal. Only the previous one may be missing.
pub fn seal_keys(folder: &Path) -> Result<SealKeys, IdentityError> {
    let mount = Mount::of(folder);
    let previous = match mount.seal_key(PREVIOUS_SEAL_KEY) {
        Ok(key) => Some(key),
        Err(IdentityError::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    Ok(SealKeys {
        current: mount.seal_key(SEAL_KEY)?,
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
}

/// The folder, as it is at one moment. A kubelet swaps all files of a mounted Secret at once, by a symlink `..data` to the
/// folder that they are in: what is read from that one folder belongs together.
struct Mount<'a> {
    named: &'a Path,
    folder: PathBuf,
}

impl<'a> Mount<'a> {
    fn of(named: &'a Path) -> Self {
        let folder = fs::canonicalize(named.join("..data")).unwrap_or_else(|_| named.to_owned());
        Self { named, folder }
    }

    fn read(&self, name: &str) -> Result<Vec<u8>, IdentityError> {
        fs::read(self.folder.join(name)).map_err(|source| IdentityError::File {
            path: self.named.join(name),
            source,
        })
    }

    fn seal_key(&self, name: &str) -> Result<[u8; 32], IdentityError> {
        self.hex(name, "64 hexadecimal digits")
    }

    fn hex<const BYTES: usize>(
        &self,
        name: &str,
        what: &'static str,
    ) -> Result<[u8; BYTES], IdentityError> {
        let text = String::from_utf8(self.read(name)?).unwrap_or_default();
        parse_hex(text.trim()).ok_or_else(|| self.content(name, what))
    }

    fn content(&self, name: &str, what: &'static str) -> IdentityError {
        IdentityError::Content {
            path: self.named.join(name),
            what,
        }
    }
}

/// Returns the lifetime of the first certificate of this text, or what the text should hold.
fn lifetime(name: &'static str, pem: &[u8]) -> Result<CertificateLifetime, &'static str> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let certificates = certificates.map_err(|_| "a PEM certificate")?;
    let first = certificates.first().ok_or("a PEM certificate")?;
    let (_, parsed) = X509Certificate::from_der(first).map_err(|_| "an X.509 certificate")?;
    Ok(CertificateLifetime {
        name,
        not_before_unix_s: parsed.validity().not_before.timestamp(),
        not_after_unix_s: parsed.validity().not_after.timestamp(),
    })
}

fn parse_hex<const BYTES: usize>(text: &str) -> Option<[u8; BYTES]> {
    let mut bytes = [0; BYTES];
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
const INSTALLATION: &str = "installation.id";
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
            assert_eq!(parse_hex::<32>(text), None, "{text}");
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
        let [authority, own] = identity.lifetimes();
        assert_eq!((authority.name, own.name), ("authority", "data-plane"));
        assert!(own.not_after_unix_s > own.not_before_unix_s);
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

    #[test]
    fn what_a_kubelet_swaps_is_read_as_of_one_moment() {
        let folder = tempfile::tempdir().unwrap();
        let put = |version: &str, key: &str| {
            let files = folder.path().join(version);
            fs::create_dir(&files).unwrap();
            fs::write(files.join(SEAL_KEY), key.repeat(32)).unwrap();
            std::os::unix::fs::symlink(version, folder.path().join("..data_tmp")).unwrap();
            fs::rename(
                folder.path().join("..data_tmp"),
                folder.path().join("..data"),
            )
            .unwrap();
        };
        put("..1", "01");
        let link = folder.path().join(SEAL_KEY);
        std::os::unix::fs::symlink(Path::new("..data").join(SEAL_KEY), link).unwrap();
        let mount = Mount::of(folder.path());
        put("..2", "02");
        assert_eq!(mount.seal_key(SEAL_KEY).unwrap(), [1; 32]);
        assert_eq!(seal_keys(folder.path()).unwrap().current, [2; 32]);
        fs::remove_dir_all(folder.path().join("..1")).unwrap();
        let error = mount.seal_key(SEAL_KEY).unwrap_err().to_string();
        assert!(
            error.contains(&format!("{}/seal.key", folder.path().display())),
            "{error}"
        );
    }
}
