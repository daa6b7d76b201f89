//! Opens connections to the control plane: all addresses that its name resolves to, one after the other, in any order.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

/// Connects to the first address of `target` (`HOST:PORT`) that answers; to `avoid` only if no other does.
///
/// # Errors
///
/// If the name does not resolve, or none of its addresses answers in time; the error names each.
pub(crate) async fn dial(
    target: &str,
    avoid: Option<SocketAddr>,
) -> io::Result<TokioIo<TcpStream>> {
    let resolved = timeout(LOOK_UP, lookup_host(target)).await;
    let mut addresses: Vec<_> = match resolved {
        Ok(Ok(resolved)) => resolved.collect(),
        Ok(Err(error)) => return Err(named(target, "does not resolve", &error)),
        Err(elapsed) => return Err(named(target, "does not resolve in time", &elapsed)),
    };
    // The first few may be dead for long, and the time for all of them is limited: each try begins elsewhere.
    fastrand::shuffle(&mut addresses);
    addresses.sort_by_key(|address| Some(*address) == avoid);
    any(target, &addresses).await
}

async fn any(target: &str, addresses: &[SocketAddr]) -> io::Result<TokioIo<TcpStream>> {
    let mut failures = Vec::new();
    for address in addresses {
        match timeout(CONNECT, TcpStream::connect(address)).await {
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

const LOOK_UP: Duration = Duration::from_secs(2);
/// For one address. A packet that is lost is sent again after a second: a new try is as fast, and may be elsewhere.
const CONNECT: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    async fn bound() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    #[tokio::test]
    async fn the_first_that_answers_is_taken_wherever_it_stands() {
        let (_open, open) = bound().await;
        let (gone, closed) = bound().await;
        drop(gone);
        for addresses in [[open, closed], [closed, open]] {
            let stream = any("control-plane:8443", &addresses).await.unwrap();
            assert_eq!(stream.inner().peer_addr().unwrap(), open);
        }
        let error = any("control-plane:8443", &[closed]).await.unwrap_err();
        for part in ["control-plane:8443", &closed.to_string(), "refused"] {
            assert!(error.to_string().contains(part), "{error}");
        }
    }

    #[tokio::test]
    async fn a_target_is_resolved_and_a_bad_one_named() {
        let (_open, open) = bound().await;
        let target = format!("localhost:{}", open.port());
        let stream = dial(&target, Some(open)).await.unwrap();
        assert_eq!(stream.inner().peer_addr().unwrap(), open);
        for target in ["localhost", "localhost:http", ""] {
            let error = dial(target, None).await.unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("{target} does not resolve")),
                "{error}"
            );
        }
    }
}
