//! Who this data plane is to the control plane: the folder that the control plane made for data planes.
//!
//! It is read anew at each use, so that renewed certificates need no restart. Nothing of it is ever shown.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tonic::transport::{Certificate, ClientTlsConfig, Identity};

/// Returns the TLS configuration of the stream from this folder.
///
/// # Errors
///
/// If a file cannot be read.
pub fn tls_config(folder: &Path) -> Result<ClientTlsConfig, IdentityError> {
    let authority = read(folder, "ca.crt")?;
    let certificate = read(folder, "tls.crt")?;
    let key = read(folder, "tls.key")?;
    Ok(ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(authority))
        .identity(Identity::from_pem(certificate, key))
        .domain_name(CONTROL_PLANE_NAME))
}

/// Returns the secret that the copy on disk is sealed with.
///
/// # Errors
///
/// If the file cannot be read, or does not hold 32 bytes in hexadecimal.
pub fn seal_key(folder: &Path) -> Result<[u8; 32], IdentityError> {
    let text = String::from_utf8(read(folder, SEAL_KEY)?).unwrap_or_default();
    parse_hex(text.trim()).ok_or_else(|| IdentityError::SealKey {
        path: folder.join(SEAL_KEY),
    })
}

/// Why there is no identity: whoever mounted the folder is at fault.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
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
const SEAL_KEY: &str = "seal.key";

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
        let error = seal_key(Path::new("/nowhere")).unwrap_err();
        assert!(error.to_string().contains("/nowhere/seal.key"), "{error}");
    }
}
