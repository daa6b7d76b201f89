//! The abstract unix socket that the data planes of one node meet at. It has a name and no file: pods on the host network
//! share the names, not the folders.

use std::io;
use std::os::fd::OwnedFd;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net;

use aws_lc_rs::digest::{SHA256, digest};
use tokio::net::{UnixListener, UnixStream};

/// Returns the name that the data planes of this node meet at. It covers the node, so that several data planes of one
/// installation can share a machine, as the tests and the demonstration do.
pub(super) fn name(installation: &[u8; 16], node: &str) -> String {
    let digest = digest(&SHA256, &[installation, node.as_bytes()].concat());
    let short = digest.as_ref().iter().take(16);
    let short: String = short.map(|byte| format!("{byte:02x}")).collect();
    format!("sluice-{short}")
}

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

/// Returns a listening socket that was handed over, if it has this name.
pub(super) fn adopt(descriptor: OwnedFd, name: &str) -> Option<UnixListener> {
    let listener = net::UnixListener::from(descriptor);
    let address = listener.local_addr().ok()?;
    if address.as_abstract_name() != Some(name.as_bytes()) {
        return None;
    }
    UnixListener::from_std(listener).ok()
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd as _;

    use super::*;

    fn unique(test: &str) -> String {
        format!("sluice-test-{test}-{}", std::process::id())
    }

    #[test]
    fn each_installation_and_node_has_a_name_of_its_own() {
        assert_eq!(name(&[1; 16], "a"), name(&[1; 16], "a"));
        assert_ne!(name(&[1; 16], "a"), name(&[1; 16], "b"));
        assert_ne!(name(&[1; 16], "a"), name(&[2; 16], "a"));
        assert!(name(&[1; 16], "a").starts_with("sluice-"));
    }

    #[tokio::test]
    async fn a_name_has_one_holder_and_ends_with_it() {
        let name = unique("holder");
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
        let name = unique("copy");
        let listener = bind(&name).unwrap();
        let copy = listener.as_fd().try_clone_to_owned().unwrap();
        drop(listener);
        let another = copy.try_clone().unwrap();
        assert!(adopt(another, "sluice-another").is_none());
        let listener = adopt(copy, &name).unwrap();
        let (connected, accepted) = tokio::join!(connect(&name), listener.accept());
        connected.unwrap();
        accepted.unwrap();
    }
}
