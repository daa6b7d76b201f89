//! Asks a running data plane over its admin socket: what the commands `ready`, `live`, `status` and `metrics` do.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http::header::HOST;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tokio::time::timeout;

/// Asks for `path` and returns whether it went well, and the text of the answer.
///
/// # Errors
///
/// If nobody answers in time.
pub async fn ask(socket: &Path, path: &str) -> Result<(bool, String), AskError> {
    match timeout(PATIENCE, exchange(socket, path)).await {
        Ok(Ok((status, body))) => Ok((status.is_success(), body)),
        Ok(Err(source)) => Err(AskError::NoAnswer {
            socket: socket.to_owned(),
            source,
        }),
        Err(_) => Err(AskError::Late {
            socket: socket.to_owned(),
        }),
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AskError {
    /// Nobody answered in time.
    #[error("no answer on {} within {} s", socket.display(), PATIENCE.as_secs())]
    Late {
        /// The socket.
        socket: PathBuf,
    },
    /// Nobody listens there, or not a data plane.
    #[error("no data plane answers on {}; is one running with this --admin-socket or --state-dir?", socket.display())]
    NoAnswer {
        /// The socket.
        socket: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

async fn exchange(socket: &Path, path: &str) -> io::Result<(StatusCode, String)> {
    let stream = UnixStream::connect(socket).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(io::Error::other)?;
    let request = Request::get(path)
        .header(HOST, "localhost")
        .body(Empty::<Bytes>::new())
        .map_err(io::Error::other)?;
    let exchange = async {
        let response = sender
            .send_request(request)
            .await
            .map_err(io::Error::other)?;
        let status = response.status();
        let body = response
            .into_body()
            .collect()
            .await
            .map_err(io::Error::other)?;
        let text = String::from_utf8_lossy(&body.to_bytes()).into_owned();
        Ok((status, text))
    };
    let mut exchange = std::pin::pin!(exchange);
    tokio::select! {
        answer = &mut exchange => answer,
        // The connection may end as soon as the answer is there.
        ended = connection => {
            ended.map_err(io::Error::other)?;
            exchange.await
        }
    }
}

/// A probe's own timeout should be longer.
const PATIENCE: Duration = Duration::from_secs(5);
