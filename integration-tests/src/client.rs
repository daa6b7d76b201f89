//! One connection of a client to a proxy: TCP, TLS where it is asked for, HTTP/1.1. It follows nothing, retries
//! nothing and keeps nothing: [`crate::load`] does.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

use crate::certificates::fingerprint;
use crate::echo::{NAME_HEADER, Seen};

/// A request to a proxy.
#[derive(Clone, Debug)]
pub struct Destination {
    /// The proxy's socket.
    pub address: SocketAddr,
    /// Which authority is trusted, where TLS is to be spoken; the host is the name asked for (SNI).
    pub tls: Option<Arc<ClientConfig>>,
    /// The `Host` header.
    pub host: String,
    /// The path, and the query if there is one.
    pub path: String,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The header.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
    /// The certificate that the connection was opened with, see [`fingerprint`].
    pub certificate: Option<String>,
}

impl Answer {
    /// The backend that answered; `None` if the proxy did.
    #[must_use]
    pub fn backend(&self) -> Option<&str> {
        self.headers
            .get(NAME_HEADER)
            .and_then(|name| name.to_str().ok())
    }

    /// What the echo server says that it saw.
    pub fn seen(&self) -> serde_json::Result<Seen> {
        serde_json::from_slice(&self.body)
    }

    /// The text of a header; empty if there is none.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }
}

/// Why there was no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The connection could not be opened.
    #[error("cannot connect")]
    Connect(#[source] io::Error),
    /// The handshake failed.
    #[error("the TLS handshake failed")]
    Handshake(#[source] io::Error),
    /// The host is no name that TLS can ask for.
    #[error("the host is no server name")]
    ServerName(#[from] rustls_pki_types::InvalidDnsNameError),
    /// The request cannot be written.
    #[error("the request is malformed")]
    Request(#[from] http::Error),
    /// The connection broke, or what came back is not HTTP.
    #[error("the exchange failed")]
    Exchange(#[from] hyper::Error),
}

impl ClientError {
    /// The error with all its causes, on one line.
    #[must_use]
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut source = std::error::Error::source(self);
        while let Some(cause) = source {
            text = format!("{text}: {cause}");
            source = cause.source();
        }
        text
    }
}

/// Opens a connection, sends one GET, and closes the connection.
pub async fn fetch(destination: &Destination) -> Result<Answer, ClientError> {
    let mut connection = Connection::open(destination).await?;
    connection.send(get(destination, true)?).await
}

/// A GET for the destination; `last` asks the proxy to close the connection afterwards.
pub fn get(destination: &Destination, last: bool) -> http::Result<Request<Full<Bytes>>> {
    let request = Request::get(&destination.path).header(http::header::HOST, &destination.host);
    let request = if last {
        request.header(http::header::CONNECTION, "close")
    } else {
        request
    };
    request.body(Full::default())
}

/// An open connection. Dropping it closes it.
#[derive(Debug)]
pub struct Connection {
    sender: SendRequest<Full<Bytes>>,
    driver: JoinHandle<()>,
    received: Arc<AtomicU64>,
    certificate: Option<String>,
}

impl Connection {
    /// Opens one.
    pub async fn open(destination: &Destination) -> Result<Self, ClientError> {
        let stream = TcpStream::connect(destination.address)
            .await
            .map_err(ClientError::Connect)?;
        stream.set_nodelay(true).map_err(ClientError::Connect)?;
        let Some(tls) = &destination.tls else {
            return Self::over(stream, None).await;
        };
        let name = ServerName::try_from(destination.host.clone())?;
        let connector = TlsConnector::from(Arc::clone(tls));
        let stream = connector
            .connect(name, stream)
            .await
            .map_err(ClientError::Handshake)?;
        let leaf = stream
            .get_ref()
            .1
            .peer_certificates()
            .and_then(<[_]>::first);
        let certificate = leaf.map(fingerprint);
        Self::over(stream, certificate).await
    }

    /// Sends a request and takes in the whole answer.
    pub async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Answer, ClientError> {
        self.sender.ready().await?;
        let (parts, body) = self.sender.send_request(request).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok(Answer {
            status: parts.status,
            headers: parts.headers,
            body,
            certificate: self.certificate.clone(),
        })
    }

    /// How many bytes have come in, TLS records not counted. That this stands still across a failed exchange means
    /// that no byte of the answer came.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Acquire)
    }

    /// Whether another request may be sent.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.sender.is_closed()
    }

    async fn over<S>(stream: S, certificate: Option<String>) -> Result<Self, ClientError>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let received = Arc::new(AtomicU64::new(0));
        let counting = Counting {
            stream,
            received: Arc::clone(&received),
        };
        let (sender, connection) = handshake(TokioIo::new(counting)).await?;
        let driver = tokio::spawn(async {
            // An error is also what the request's future ends with.
            let _ = connection.await;
        });
        Ok(Self {
            sender,
            driver,
            received,
            certificate,
        })
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// Counts what is read.
struct Counting<S> {
    stream: S,
    received: Arc<AtomicU64>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Counting<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        let read = (buffer.filled().len() - before) as u64;
        self.received.fetch_add(read, Ordering::AcqRel);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counting<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
