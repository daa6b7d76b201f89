//! Opens a listening socket.
//!
//! It does not know what is served there.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::net::TcpListener;

/// Listens at this address; instead of `[::]`, at 0.0.0.0 where the machine has no IPv6.
///
/// # Errors
///
/// If the address cannot be listened on; the error names it and what it was for.
pub async fn listen(
    purpose: &'static str,
    address: SocketAddr,
) -> Result<TcpListener, ListenError> {
    let bound = match TcpListener::bind(address).await {
        Err(error) if address.ip() == Ipv6Addr::UNSPECIFIED && is_without_ipv6(&error) => {
            let any = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), address.port());
            TcpListener::bind(any).await
        }
        bound => bound,
    };
    bound.map_err(|source| ListenError {
        purpose,
        address,
        source,
    })
}

/// The address cannot be listened on: somebody else does, it is not the machine's, or it is not allowed.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address} for {purpose}; give another address with --{purpose}-address")]
pub struct ListenError {
    purpose: &'static str,
    address: SocketAddr,
    #[source]
    source: io::Error,
}

fn is_without_ipv6(error: &io::Error) -> bool {
    // The family is unknown where the kernel has no IPv6, the address is not to be had where it is disabled.
    matches!(
        error.kind(),
        io::ErrorKind::Unsupported | io::ErrorKind::AddrNotAvailable
    ) || error.raw_os_error() == Some(EAFNOSUPPORT)
}

const EAFNOSUPPORT: i32 = 97;
