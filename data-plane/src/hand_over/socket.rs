//! The abstract unix socket that the data planes of one node meet at. It has a name and no file: pods on the host network
//! share the names, not the folders.

use std::io;
use std::os::fd::OwnedFd;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net;

use tokio::net::{UnixListener, UnixStream};

/// Listens under this name.
///
/// # Errors
///
/// If somebody else does.
pub(super) fn bind(name: &str) -> io::Result<UnixListener> {
    let address = net::SocketAddr::from_abstract_name(name)?;
    let listener = net::UnixListener::bind_addr(&address)?;
    listener.set_nonblocking(true)?;
    UnixListener::from_std(listener)
}

/// Connects to whoever listens under this name, if there is room in its queue.
///
/// # Errors
///
/// `ConnectionRefused` if nobody does.
pub(super) async fn connect(name: &str) -> io::Result<UnixStream> {
    UnixStream::connect(format!("\0{name}")).await
}

/// Returns a listening socket that was handed over, and its name; `None` if it is something else.
pub(super) fn adopt(descriptor: OwnedFd) -> Option<(String, UnixListener)> {
    let listener = net::UnixListener::from(descriptor);
    let address = listener.local_addr().ok()?;
    let name = std::str::from_utf8(address.as_abstract_name()?).ok()?;
    let name = name.to_owned();
    Some((name, UnixListener::from_std(listener).ok()?))
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd as _;

    use super::*;

    fn name(test: &str) -> String {
        format!("sluice-test-{test}-{}", std::process::id())
    }

    #[tokio::test]
    async fn a_name_has_one_holder_and_ends_with_it() {
        let name = name("holder");
        let refused = connect(&name).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        let listener = bind(&name).unwrap();
        assert_eq!(bind(&name).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        connect(&name).await.unwrap();
        drop(listener);
        bind(&name).unwrap();
    }

    #[tokio::test]
    async fn a_copy_keeps_the_name() {
        let name = name("copy");
        let listener = bind(&name).unwrap();
        let copy = listener.as_fd().try_clone_to_owned().unwrap();
        drop(listener);
        let (adopted, listener) = adopt(copy).unwrap();
        assert_eq!(adopted, name);
        let (connected, accepted) = tokio::join!(connect(&name), listener.accept());
        connected.unwrap();
        accepted.unwrap();
    }
}
