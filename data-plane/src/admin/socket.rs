//! Opens the admin socket, in the place of one that a dead process left behind, never of a living one's.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use tokio::net::UnixListener;

/// Listens on a unix socket that only its owner may open.
///
/// # Errors
///
/// If somebody answers there, or the socket cannot be made.
pub(crate) fn bind(path: &Path) -> Result<UnixListener, SocketError> {
    match UnixStream::connect(path) {
        Ok(_) => return Err(SocketError::Taken { path: path.into() }),
        // A file that nobody listens on any more.
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(|source| failed(path, source))?;
        }
        Err(_) => {}
    }
    let listener = UnixListener::bind(path).map_err(|source| failed(path, source))?;
    let owner_only = fs::Permissions::from_mode(0o600);
    fs::set_permissions(path, owner_only).map_err(|source| failed(path, source))?;
    Ok(listener)
}

/// Why there is no admin socket.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SocketError {
    /// It cannot be made.
    #[error("cannot make the admin socket {}; --admin-socket must be a path in a folder that is there, of fewer than 108 bytes", path.display())]
    Failed {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Another process answers there.
    #[error("another data plane answers on {}; give each its own --admin-socket and --state-dir", path.display())]
    Taken {
        /// Where.
        path: PathBuf,
    },
}

fn failed(path: &Path, source: io::Error) -> SocketError {
    SocketError::Failed {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_dead_socket_is_replaced_and_a_living_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin.sock");
        let first = bind(&path).unwrap();
        let error = bind(&path).unwrap_err();
        assert!(matches!(error, SocketError::Taken { .. }), "{error}");
        drop(first);
        let _second = bind(&path).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
