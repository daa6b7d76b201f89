//! One connection of a client to a proxy: TCP, TLS where it is asked for, and HTTP/1.1 or what ALPN chose. It follows
//! nothing, retries nothing and keeps nothing: [`crate::load`] does.

mod sender;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

use self::sender::Sender;
use crate::certificates::fingerprint;
use crate::echo::{NAME_HEADER, Seen};

/// A request to a proxy.
#[derive(Clone, Debug)]
pub struct Destination {
    /// The proxy's socket.
    pub address: SocketAddr,
    /// Which authority is trusted, and what is offered by ALPN, where TLS is to be spoken; the host is the name asked
    /// for (SNI).
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

/// A POST of a few bytes to the destination; `last` asks the proxy to close the connection afterwards.
pub fn post(destination: &Destination, last: bool) -> http::Result<Request<Full<Bytes>>> {
    let mut request = get(destination, last)?;
    *request.method_mut() = Method::POST;
    *request.body_mut() = Full::from("a small body");
    Ok(request)
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
    sender: Sender,
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
        Self::over(stream, destination).await
    }

    /// Opens one from this address of the client's.
    pub async fn open_from(from: Ipv4Addr, destination: &Destination) -> Result<Self, ClientError> {
        let socket = TcpSocket::new_v4().map_err(ClientError::Connect)?;
        socket
            .bind(SocketAddr::from((from, 0)))
            .map_err(ClientError::Connect)?;
        let stream = socket.connect(destination.address).await;
        Self::over(stream.map_err(ClientError::Connect)?, destination).await
    }

    async fn over(stream: TcpStream, destination: &Destination) -> Result<Self, ClientError> {
        stream.set_nodelay(true).map_err(ClientError::Connect)?;
        let Some(tls) = &destination.tls else {
            let (stream, received) = Counting::new(stream);
            return Ok(Self::new(Sender::http1(stream).await?, received, None));
        };
        let name = ServerName::try_from(destination.host.clone())?;
        let connector = TlsConnector::from(Arc::clone(tls));
        let stream = connector
            .connect(name, stream)
            .await
            .map_err(ClientError::Handshake)?;
        let session = stream.get_ref().1;
        let leaf = session.peer_certificates().and_then(<[_]>::first);
        let certificate = leaf.map(fingerprint);
        let is_http2 = session.alpn_protocol() == Some(b"h2");
        let (stream, received) = Counting::new(stream);
        let started = if is_http2 {
            Sender::http2(stream).await?
        } else {
            Sender::http1(stream).await?
        };
        Ok(Self::new(started, received, certificate))
    }

    /// Sends a request and takes in the whole answer.
    pub async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Answer, ClientError> {
        let (parts, body) = self.sender.send(request).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok(Answer {
            status: parts.status,
            headers: parts.headers,
            body,
            certificate: self.certificate.clone(),
        })
    }

    /// How many bytes have come in, TLS records not counted.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Acquire)
    }

    /// Whether a client may send again what failed so, on a connection on which `received` bytes had come in before.
    ///
    /// Over HTTP/1.1, what met a connection that closed before any byte of an answer (RFC 9112, section 9.3.1); over HTTP/2,
    /// what was never sent, or of which the server says that it did not look at it (RFC 9113, section 8.7).
    #[must_use]
    pub fn may_send_again(&self, received: u64, error: &ClientError) -> bool {
        if self.sender.is_http2() {
            matches!(error, ClientError::Exchange(error) if was_never_sent(error) || is_unprocessed(error))
        } else {
            self.received() == received
        }
    }

    /// Whether another request may be sent.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.sender.is_closed()
    }

    fn new(
        (sender, driver): (Sender, JoinHandle<()>),
        received: Arc<AtomicU64>,
        certificate: Option<String>,
    ) -> Self {
        Self {
            sender,
            driver,
            received,
            certificate,
        }
    }
}

fn was_never_sent(error: &hyper::Error) -> bool {
    error.is_canceled() || error.is_closed()
}

fn is_unprocessed(error: &hyper::Error) -> bool {
    let cause =
        std::error::Error::source(error).and_then(|source| source.downcast_ref::<h2::Error>());
    cause.is_some_and(|error| {
        let reason = error.reason();
        reason == Some(h2::Reason::REFUSED_STREAM)
            || (error.is_go_away() && error.is_remote() && reason == Some(h2::Reason::NO_ERROR))
    })
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

impl<S> Counting<S> {
    fn new(stream: S) -> (Self, Arc<AtomicU64>) {
        let received = Arc::new(AtomicU64::new(0));
        let counting = Self {
            stream,
            received: Arc::clone(&received),
        };
        (counting, received)
    }
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
