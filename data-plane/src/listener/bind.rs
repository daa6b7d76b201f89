//! Binds the socket of a listener.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use sluice_proto::Listener;
use socket2::{Domain, Protocol, Socket, Type};

/// Returns the socket of this listener, bound to `address` if it is given instead of the listener's own.
pub(super) fn bind(listener: &Listener, address: Option<SocketAddr>) -> io::Result<TcpListener> {
    if let Some(address) = address {
        return listen(address);
    }
    if let Some(ip) = listener.address {
        return listen(SocketAddr::new(ip, listener.port));
    }
    let every = |ip: IpAddr| listen(SocketAddr::new(ip, listener.port));
    match every(Ipv6Addr::UNSPECIFIED.into()) {
        // A machine without IPv6.
        Err(error) if no_such_family(&error) => every(Ipv4Addr::UNSPECIFIED.into()),
        bound => bound,
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
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
