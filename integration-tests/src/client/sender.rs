//! Sends requests in the version of HTTP that a connection speaks.

use bytes::Bytes;
use http::header::{CONNECTION, HOST};
use http::uri::{Authority, Scheme};
use http::{Request, Response, Uri};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinHandle;

use super::ClientError;

#[derive(Debug)]
pub(super) enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

impl Sender {
    /// Starts to speak HTTP/1.1, and what drives the connection.
    pub(super) async fn http1<S>(stream: S) -> Result<(Self, JoinHandle<()>), ClientError>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // An error is also what the request's future ends with.
        let driver = tokio::spawn(async { drop(connection.await) });
        Ok((Self::Http1(sender), driver))
    }

    /// The same of HTTP/2.
    pub(super) async fn http2<S>(stream: S) -> Result<(Self, JoinHandle<()>), ClientError>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
        let (sender, connection) = handshake.await?;
        let driver = tokio::spawn(async { drop(connection.await) });
        Ok((Self::Http2(sender), driver))
    }

    /// Sends a request that is written as for HTTP/1.1.
    pub(super) async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, ClientError> {
        match self {
            Self::Http1(sender) => {
                sender.ready().await?;
                Ok(sender.send_request(request).await?)
            }
            Self::Http2(sender) => {
                sender.ready().await?;
                Ok(sender.send_request(as_http2(request)?).await?)
            }
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        match self {
            Self::Http1(sender) => sender.is_closed(),
            Self::Http2(sender) => sender.is_closed(),
        }
    }

    pub(super) const fn is_http2(&self) -> bool {
        matches!(self, Self::Http2(_))
    }
}

/// Has the host in the URI, from where hyper takes `:authority`, and no header that HTTP/2 does not have.
fn as_http2(mut request: Request<Full<Bytes>>) -> http::Result<Request<Full<Bytes>>> {
    request.headers_mut().remove(CONNECTION);
    if let Some(host) = request.headers_mut().remove(HOST) {
        let mut uri = std::mem::take(request.uri_mut()).into_parts();
        uri.scheme = Some(Scheme::HTTPS);
        uri.authority = Some(Authority::try_from(host.as_bytes())?);
        *request.uri_mut() = Uri::from_parts(uri)?;
    }
    Ok(request)
}
