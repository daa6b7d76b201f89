//! Opens a connection to an endpoint.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use ipnet::IpNet;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use crate::proxy::respond::Cause;
use crate::proxy::upstream::prohibited::is_prohibited;
use crate::serving::EndpointAddress;

/// Returns a connection to this address, opened within `limit`. Of this node's own addresses, names may resolve to
/// `reachable` ones.
pub(super) async fn dial(
    address: &EndpointAddress,
    reachable: &[IpNet],
    limit: Duration,
) -> Result<TcpStream, Cause> {
    let connecting = async {
        match address {
            EndpointAddress::Socket(address) => connect(*address).await,
            EndpointAddress::Name { name, port } => connect_name(name, *port, reachable).await,
        }
    };
    let stream = timeout(limit, connecting)
        .await
        .unwrap_or(Err(Cause::ConnectTimeout))?;
    // It only costs time, not correctness.
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

async fn connect(address: SocketAddr) -> Result<TcpStream, Cause> {
    TcpStream::connect(address)
        .await
        .map_err(|error| match error.kind() {
            io::ErrorKind::ConnectionRefused => Cause::ConnectRefused,
            io::ErrorKind::TimedOut => Cause::ConnectTimeout,
            _ => Cause::ConnectFailed,
        })
}

// Checked after every resolution: whoever owns the name may point it at the node tomorrow.
async fn connect_name(name: &str, port: u16, reachable: &[IpNet]) -> Result<TcpStream, Cause> {
    let addresses = lookup_host((name, port))
        .await
        .map_err(|_| Cause::NameUnresolved)?;
    let mut last = Cause::NameUnresolved;
    for address in addresses {
        let ip = address.ip().to_canonical();
        let is_reachable = || reachable.iter().any(|range| range.contains(&ip));
        last = if is_prohibited(ip) && !is_reachable() {
            Cause::AddressProhibited
        } else {
            match connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(cause) => cause,
            }
        };
    }
    Err(last)
}
