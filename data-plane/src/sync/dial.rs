//! Opens connections to the control plane: all addresses that its name resolves to, one after the other, in any order.

use std::io;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

/// Connects to the first address of `target` (`HOST:PORT`) that answers.
///
/// # Errors
///
/// If the name does not resolve, or none of its addresses answers in time; the error names each.
pub(crate) async fn dial(target: String) -> io::Result<TokioIo<TcpStream>> {
    let resolved = timeout(EACH, lookup_host(&target)).await;
    let mut addresses: Vec<_> = match resolved {
        Ok(Ok(resolved)) => resolved.collect(),
        Ok(Err(error)) => return Err(named(&target, "does not resolve", &error)),
        Err(elapsed) => return Err(named(&target, "does not resolve in time", &elapsed)),
    };
    // The first few may be dead for long, and the time for all of them is limited: each try begins elsewhere.
    fastrand::shuffle(&mut addresses);
    let mut failures = Vec::new();
    for address in addresses {
        match timeout(EACH, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                stream.set_nodelay(true)?;
                return Ok(TokioIo::new(stream));
            }
            Ok(Err(error)) => failures.push(format!("{address}: {error}")),
            Err(elapsed) => failures.push(format!("{address}: {elapsed}")),
        }
    }
    Err(io::Error::new(
        io::ErrorKind::NotConnected,
        format!("{target}: no address answers ({})", failures.join("; ")),
    ))
}

fn named(target: &str, what: &str, error: &dyn std::error::Error) -> io::Error {
    io::Error::other(format!("{target} {what} ({error})"))
}

/// How long one look-up or one address may take.
const EACH: Duration = Duration::from_secs(2);
