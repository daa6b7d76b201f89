//! Backends: real servers on loopback.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};
use tokio_stream::wrappers::ReceiverStream;

pub(crate) type Body = BoxBody<Bytes, Infallible>;

/// A server that ends with the test.
pub(crate) struct Backend {
    pub(crate) address: SocketAddr,
    connections: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Backend {
    /// Starts a server of HTTP/1.1 and HTTP/2 that answers so.
    pub(crate) async fn start<A, F>(answer: A) -> Self
    where
        A: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Response<Body>> + Send + 'static,
    {
        Self::raw(move |stream| {
            let answer = answer.clone();
            async move {
                let service = service_fn(move |request| {
                    let answered = answer(request);
                    async move { Ok::<_, Infallible>(answered.await) }
                });
                let _ = auto::Builder::new(TokioExecutor::new())
                    .serve_connection_with_upgrades(TokioIo::new(stream), service)
                    .await;
            }
        })
        .await
    }

    /// Starts a server that answers everything with this text.
    pub(crate) async fn saying(answer: &'static str) -> Self {
        Self::start(move |_| async move { text(answer) }).await
    }

    /// Starts a server on this port that closes each connection after an answer with this text.
    pub(crate) async fn saying_at(address: SocketAddr, answer: &'static str) -> Self {
        Self::raw_at(address, move |mut stream| async move {
            let _ = stream.read(&mut [0; 4096]).await;
            let length = answer.len();
            let answer = format!(
                "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{answer}"
            );
            let _ = stream.write_all(answer.as_bytes()).await;
        })
        .await
    }

    /// Starts a server that does this with each connection.
    pub(crate) async fn raw<S, F>(serve: S) -> Self
    where
        S: Fn(TcpStream) -> F + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        Self::raw_at(SocketAddr::from(([127, 0, 0, 1], 0)), serve).await
    }

    async fn raw_at<S, F>(address: SocketAddr, serve: S) -> Self
    where
        S: Fn(TcpStream) -> F + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        let task = tokio::spawn(async move {
            let mut served = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                counted.fetch_add(1, Ordering::SeqCst);
                served.spawn(serve(stream));
            }
        });
        Self {
            address,
            connections,
            task,
        }
    }

    /// Returns how many connections it has accepted.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(crate) fn full(body: impl Into<Bytes>) -> Body {
    Full::new(body.into()).boxed()
}

pub(crate) fn empty() -> Body {
    Empty::new().boxed()
}

pub(crate) fn text(body: impl Into<Bytes>) -> Response<Body> {
    Response::new(full(body))
}

/// Where the pieces of a body are put in.
pub(crate) type Frames = mpsc::Sender<Result<Frame<Bytes>, Infallible>>;

/// Returns a body of no announced length, and where its pieces are put in.
pub(crate) fn channel() -> (Frames, Body) {
    let (frames, receiver) = mpsc::channel(1);
    (
        frames,
        StreamBody::new(ReceiverStream::new(receiver)).boxed(),
    )
}

/// Puts a piece in.
pub(crate) async fn push(frames: &Frames, piece: impl Into<Bytes>) {
    frames.send(Ok(Frame::data(piece.into()))).await.unwrap();
}

/// Returns a body of no announced length that is made of these pieces.
pub(crate) fn pieces(pieces: impl IntoIterator<Item = impl Into<Bytes>>) -> Body {
    let frames = pieces.into_iter().map(|piece| Frame::data(piece.into()));
    let frames: Vec<_> = frames.map(Ok::<_, Infallible>).collect();
    StreamBody::new(tokio_stream::iter(frames)).boxed()
}

/// Returns an address at which nobody listens: a connection to it is refused. It is not among the ports that the kernel
/// gives to whoever wants any, so no other test comes to listen there.
pub(crate) async fn closed_port() -> SocketAddr {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Other processes may run the same tests.
    let start = process::id().wrapping_mul(61);
    loop {
        let number = start.wrapping_add(NEXT.fetch_add(1, Ordering::SeqCst)) % 10_000;
        let port = 20_000 + u16::try_from(number).unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        if TcpListener::bind(address).await.is_ok() {
            return address;
        }
    }
}
