//! Clients: a connection of hyper's, or bytes.

use std::net::SocketAddr;

use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use super::backend::Body;
use super::within;

/// A response that has come whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
    pub(crate) trailers: HeaderMap,
}

impl Answer {
    pub(crate) async fn of(response: Response<Incoming>) -> Self {
        let (parts, body) = response.into_parts();
        let body = within("a response's body", body.collect()).await.unwrap();
        let trailers = body.trailers().cloned().unwrap_or_default();
        Self {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8(body.to_bytes().to_vec()).unwrap(),
            trailers,
        }
    }

    /// Returns the value of a header; empty if there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// Returns the error of `Proxy-Status`.
    pub(crate) fn proxy_error(&self) -> &str {
        let status = self.header("proxy-status");
        let error = status.strip_prefix("sluice; error=").unwrap_or_default();
        error.split(';').next().unwrap()
    }
}

/// One connection of a client.
pub(crate) enum Client {
    Http1(http1::SendRequest<Body>),
    Http2(http2::SendRequest<Body>),
}

impl Client {
    /// Connects in clear, to speak HTTP/1.1.
    pub(crate) async fn http1(address: SocketAddr) -> Self {
        Self::http1_over(TcpStream::connect(address).await.unwrap()).await
    }

    /// Connects in clear, to speak HTTP/2 with prior knowledge.
    pub(crate) async fn http2(address: SocketAddr) -> Self {
        Self::http2_over(TcpStream::connect(address).await.unwrap()).await
    }

    pub(crate) async fn http1_over<I>(stream: I) -> Self
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection.with_upgrades());
        Self::Http1(sender)
    }

    pub(crate) async fn http2_over<I>(stream: I) -> Self
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let executor = TokioExecutor::new();
        let (sender, connection) = http2::handshake(executor, TokioIo::new(stream))
            .await
            .unwrap();
        tokio::spawn(connection);
        Self::Http2(sender)
    }

    /// Sends a request and returns the response's header section, its body to be read.
    pub(crate) async fn send(
        &mut self,
        request: Request<Body>,
    ) -> hyper::Result<Response<Incoming>> {
        let sending = async {
            match self {
                Self::Http1(sender) => {
                    sender.ready().await?;
                    sender.send_request(request).await
                }
                Self::Http2(sender) => sender.send_request(request).await,
            }
        };
        within("a response's header section", sending).await
    }

    /// Sends a request and returns the whole response.
    pub(crate) async fn ask(&mut self, request: Request<Body>) -> Answer {
        Answer::of(self.send(request).await.unwrap()).await
    }

    /// Gets a path of a host.
    pub(crate) async fn get(&mut self, host: &str, path: &str) -> Answer {
        let request = match self {
            Self::Http1(_) => Request::get(path).header("host", host),
            Self::Http2(_) => Request::get(format!("http://{host}{path}")),
        };
        self.ask(request.body(Empty::new().boxed()).unwrap()).await
    }

    /// Returns whether the other side has closed.
    pub(crate) fn is_closed(&self) -> bool {
        match self {
            Self::Http1(sender) => sender.is_closed(),
            Self::Http2(sender) => sender.is_closed(),
        }
    }
}

/// Gets a path of a host on a connection of its own.
pub(crate) async fn get(address: SocketAddr, host: &str, path: &str) -> Answer {
    Client::http1(address).await.get(host, path).await
}

/// Sends a request on a connection of its own.
pub(crate) async fn send(address: SocketAddr, request: Request<Body>) -> Answer {
    Client::http1(address).await.ask(request).await
}

/// Sends these bytes and returns all that comes until the other side closes.
pub(crate) async fn raw(address: SocketAddr, bytes: impl AsRef<[u8]>) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes.as_ref()).await.unwrap();
    let mut answer = Vec::new();
    // What was sent after the other side had its fill resets the connection.
    let _ = within("the end of the connection", stream.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// One connection of bytes.
pub(crate) struct Stream(TcpStream);

impl Stream {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self(TcpStream::connect(address).await.unwrap())
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Reads until `end` has come, and returns all up to it.
    pub(crate) async fn read_until(&mut self, end: &str) -> String {
        let mut read = Vec::new();
        within(end, async {
            while !read.ends_with(end.as_bytes()) {
                let mut byte = [0];
                let count = self.0.read(&mut byte).await.unwrap();
                let so_far = String::from_utf8_lossy(&read);
                assert_eq!(count, 1, "the connection ended before {end:?}: {so_far}");
                read.push(byte[0]);
            }
        })
        .await;
        String::from_utf8(read).unwrap()
    }

    pub(crate) async fn read_exactly(&mut self, count: usize) -> Vec<u8> {
        let mut read = vec![0; count];
        within("some bytes", self.0.read_exact(&mut read))
            .await
            .unwrap();
        read
    }

    /// Sends these bytes and returns all that comes until the other side closes.
    pub(crate) async fn exchange(mut self, bytes: &[u8]) -> Vec<u8> {
        self.send(bytes).await;
        let mut read = Vec::new();
        let _ = within("the end of the connection", self.0.read_to_end(&mut read)).await;
        read
    }

    /// Reads until the other side closes.
    pub(crate) async fn rest(mut self) -> String {
        let mut read = Vec::new();
        let _ = within("the end of the connection", self.0.read_to_end(&mut read)).await;
        String::from_utf8_lossy(&read).into_owned()
    }
}
