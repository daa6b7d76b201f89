//! Opens the admin socket, in the place of one that a dead process left behind, never of a living one's.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixStream};

/// Listens on a unix socket that only its owner may open.
///
/// # Errors
///
/// If somebody answers there, or the socket cannot be made.
pub(crate) async fn bind(path: &Path) -> Result<UnixListener, SocketError> {
    match UnixStream::connect(path).await {
        Ok(_) => return Err(SocketError::Taken { path: path.into() }),
        // Somebody listens who is too busy to accept.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            return Err(SocketError::Taken { path: path.into() });
        }
        // A socket that nobody listens on any more, or a file of another kind, which is not ours to remove.
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            let found = fs::symlink_metadata(path).map_err(|source| failed(path, source))?;
            if !found.file_type().is_socket() {
                return Err(SocketError::Foreign { path: path.into() });
            }
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
    /// Something else is there.
    #[error("{} is there and is no socket; remove it, or give another --admin-socket", path.display())]
    Foreign {
        /// Where.
        path: PathBuf,
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
        let first = bind(&path).await.unwrap();
        let error = bind(&path).await.unwrap_err();
        assert!(matches!(error, SocketError::Taken { .. }), "{error}");
        drop(first);
        let _second = bind(&path).await.unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[tokio::test]
    async fn a_file_of_another_kind_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes");
        fs::write(&path, "mine").unwrap();
        let error = bind(&path).await.unwrap_err();
        assert!(matches!(error, SocketError::Foreign { .. }), "{error}");
        assert_eq!(fs::read(&path).unwrap(), b"mine");
    }

    #[tokio::test]
    async fn a_living_one_that_is_too_busy_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin.sock");
        let _listener = bind(&path).await.unwrap();
        let mut waiting = Vec::new();
        while let Ok(stream) = UnixStream::connect(&path).await {
            waiting.push(stream);
        }
        let error = bind(&path).await.unwrap_err();
        assert!(matches!(error, SocketError::Taken { .. }), "{error}");
    }
}
