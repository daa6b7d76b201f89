//! Binds listening sockets.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

/// Returns a socket that listens there. `[::]` is every address of the machine, also of one that has no IPv6.
///
/// # Errors
///
/// If somebody else does, or this machine does not have the address.
pub(crate) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    match listen_exactly(address) {
        Err(error) if address.ip() == Ipv6Addr::UNSPECIFIED && no_such_family(&error) => {
            listen_exactly(SocketAddr::new(
                Ipv4Addr::UNSPECIFIED.into(),
                address.port(),
            ))
        }
        listens => listens,
    }
}

fn listen_exactly(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    // Connections of an earlier process that are still ending do not hold the port.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        // The wildcard is for both families, whatever the machine's default is.
        socket.set_only_v6(false)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn no_such_family(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrNotAvailable || error.raw_os_error() == Some(EAFNOSUPPORT)
}

const EAFNOSUPPORT: i32 = 97;
// The kernel caps it at net.core.somaxconn.
const BACKLOG: i32 = 4096;
