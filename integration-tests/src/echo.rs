//! The backend of demonstrations and scenarios: an HTTP server that answers with what it saw. It is a
//! well-behaved one (it reads what is sent, ends gracefully, speaks HTTP/1.1, HTTP/2 in clear and WebSocket),
//! so that whatever goes wrong is the proxy's doing. The program around it is `sluice-echo`.
//!
//! ```text
//! GET  /any/path                  what it saw, as JSON; its name is in the header x-echo-name, too
//! ...  ?delay_ms=N                the same, N ms later
//! ...  ?chunks=N&interval_ms=M    N lines, one every M ms
//! ...  ?bytes=N                   N bytes, as fast as they are taken
//! ...  ?length=N                  N bytes at once, with their length
//! ...  ?tell=NAME                 what it saw, in the header of this name, too
//! ...  ?status=N&header=NAME:VALUE    any of these with another status and more headers
//!
//! Of requests with the same header x-echo-sequence:
//! ...  ?fail=N                    503 for the first N
//! ...  ?hold                      no answer until they are let go
//! GET  /held                      how many are held now
//! GET  /let-go                    lets them go
//! POST /echo                      the body, streamed back while it comes in
//! GET  /any/path, Upgrade         a WebSocket that returns every message
//! ```

mod answer;
mod websocket;
mod wishes;

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use self::answer::Answerer;
pub use self::answer::{NAME_HEADER, Seen};
pub use self::wishes::SEQUENCE_HEADER;
use self::wishes::Sequences;

/// An echo server that listens, and does not serve yet.
#[derive(Debug)]
pub struct Echo {
    listener: TcpListener,
    name: Arc<str>,
    linger: Duration,
    tls: Option<Arc<ServerConfig>>,
    sequences: Arc<Sequences>,
}

impl Echo {
    /// Listens. After it was told to stop it takes connections for `linger` more, as a pod with a `preStop` sleep
    /// does: that its address is no longer wanted takes a moment to be known everywhere.
    pub async fn bind(address: SocketAddr, name: &str, linger: Duration) -> io::Result<Self> {
        Ok(Self {
            listener: TcpListener::bind(address).await?,
            name: name.into(),
            linger,
            tls: None,
            sequences: Arc::default(),
        })
    }

    /// The same with TLS, and nothing but TLS.
    #[must_use]
    pub fn with_tls(mut self, config: ServerConfig) -> Self {
        self.tls = Some(Arc::new(config));
        self
    }

    /// Where it listens.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop` completes; then lingers, closes the listener, and finishes what it has accepted.
    pub async fn serve(self, stop: impl Future<Output = ()>) {
        let (stopping, stopped) = watch::channel(false);
        let mut connections = JoinSet::new();
        let mut end = pin!(async {
            stop.await;
            sleep(self.linger).await;
        });
        loop {
            tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, peer)) => {
                        connections.spawn(self.connection(stream, peer, &stopped));
                    }
                    // Such as EMFILE: trying again at once would spin.
                    Err(_) => sleep(AFTER_ACCEPT_ERROR).await,
                },
                Some(_) = connections.join_next() => {}
                () = &mut end => break,
            }
        }
        // Who is in the queue has been told that the connection is open.
        while let Some(Ok((stream, peer))) = self.listener.accept().now_or_never() {
            connections.spawn(self.connection(stream, peer, &stopped));
        }
        drop(self.listener);
        stopping.send_replace(true);
        while connections.join_next().await.is_some() {}
    }
}

impl Echo {
    fn connection(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        stopped: &watch::Receiver<bool>,
    ) -> impl Future<Output = ()> + Send + use<> {
        let (name, sequences) = (Arc::clone(&self.name), Arc::clone(&self.sequences));
        let (tls, stopped) = (self.tls.clone(), stopped.clone());
        async move {
            let _ = stream.set_nodelay(true);
            let Some(tls) = tls else {
                let answerer = Answerer::new(name, peer, None, sequences);
                return serve_connection(stream, answerer, stopped).await;
            };
            // Whoever does not get through the handshake knows why.
            if let Ok(stream) = TlsAcceptor::from(tls).accept(stream).await {
                let asked_for = stream.get_ref().1.server_name().unwrap_or_default();
                let asked_for = Some(asked_for.to_owned());
                let answerer = Answerer::new(name, peer, asked_for, sequences);
                serve_connection(stream, answerer, stopped).await;
            }
        }
    }
}

/// Serves one connection to its end, and the WebSocket that it may turn into.
async fn serve_connection(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    answerer: Answerer,
    mut stopped: watch::Receiver<bool>,
) {
    let (upgrade, mut upgraded) = oneshot::channel();
    let answerer = Arc::new(answerer.upgrading_through(upgrade));
    let first = Arc::clone(&answerer);
    let service = service_fn(move |request| {
        let answerer = Arc::clone(&answerer);
        async move { answerer.answer(request).await }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new());
    builder.http2().timer(TokioTimer::new());
    let mut connection =
        pin!(builder.serve_connection_with_upgrades(TokioIo::new(stream), service));
    // A connection that was opened a moment ago still waits for its request, and closing it would lose that.
    let may_close = async {
        told_to_stop(&mut stopped).await;
        let _ = timeout(FOR_FIRST_REQUEST, first.has_been_asked()).await;
    };
    tokio::select! {
        // An error means that the peer broke the connection, and it has nobody to be told to.
        _ = connection.as_mut() => {}
        () = may_close => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.as_mut().await;
        }
    }
    // The sender lives as long as the connection's service, but it has sent by now, if ever.
    if let Ok(upgraded) = upgraded.try_recv() {
        websocket::echo(upgraded, stopped).await;
    }
}

async fn told_to_stop(stopped: &mut watch::Receiver<bool>) {
    // The error is that the server is gone, which means the same.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

const FOR_FIRST_REQUEST: Duration = Duration::from_secs(1);
const AFTER_ACCEPT_ERROR: Duration = Duration::from_millis(50);
