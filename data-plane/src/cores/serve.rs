//! Serves a connection of a client: TLS where the listener has it, then HTTP/2 or HTTP/1.1, until either side has had
//! enough.

use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use hyper::rt::Executor;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use sluice_proto::{ListenerProtocol, Settings};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::access_log::Line;
use crate::cores::connection::{ClientConnection, Command, Driven};
use crate::cores::stream::Watched;
use crate::cores::{Accepted, Core, Phase};
use crate::metrics::{HandshakeFailure, ProtocolError};
use crate::proxy;
use crate::tls::{self, ALPN_HTTP2};

impl Core {
    /// Serves a connection until it ends.
    pub(super) fn open(self: &Rc<Self>, accepted: Accepted) {
        let core = Rc::clone(self);
        tokio::task::spawn_local(async move {
            // The peer may be gone by now; there is nobody to tell.
            if let Ok(stream) = TcpStream::from_std(accepted.stream) {
                let _ = stream.set_nodelay(true);
                let connection =
                    ClientConnection::new(accepted.peer, accepted.listener, accepted.counted);
                core.connections.insert(&connection);
                connection.serve(&core, stream).await;
                core.connections.remove(&connection);
            }
        });
    }
}

impl ClientConnection {
    async fn serve(self: &Rc<Self>, core: &Rc<Core>, stream: TcpStream) {
        let settings = Arc::clone(&core.served().edge.settings);
        match self.listener.protocol {
            ListenerProtocol::Http => {
                let stream = Watched::new(stream, Arc::clone(&self.activity));
                let is_http2 = {
                    let looking = pin!(is_http2(&stream));
                    self.drive(looking, |_| true).await
                };
                match is_http2 {
                    Driven::Ended(Ok(true)) => {
                        Box::pin(self.serve_http2(core, stream, &settings)).await;
                    }
                    Driven::Ended(Ok(false)) => self.serve_http1(core, stream, &settings).await,
                    Driven::Ended(Err(_)) | Driven::Finished => {}
                    Driven::Aborted => core.counters.protocol_error(ProtocolError::HeaderTimeout),
                }
            }
            ListenerProtocol::Https => {
                // What is over has to be out of scope: it would keep its room.
                let accepted = {
                    let accepting =
                        pin!(tls::accept(stream, &core.shared, &self.client_certificate));
                    self.drive(accepting, |_| true).await
                };
                let stream = match accepted {
                    Driven::Ended(Ok(stream)) => stream,
                    Driven::Ended(Err(failure)) => {
                        core.counters.handshake_failed(failure);
                        return;
                    }
                    Driven::Finished => return,
                    Driven::Aborted => {
                        core.counters.handshake_failed(HandshakeFailure::Timeout);
                        return;
                    }
                };
                let is_http2 = stream.get_ref().1.alpn_protocol() == Some(ALPN_HTTP2);
                let stream = Watched::new(stream, Arc::clone(&self.activity));
                // Large: a connection of HTTP/1.1 needs no room for it.
                if is_http2 {
                    Box::pin(self.serve_http2(core, stream, &settings)).await;
                } else {
                    self.serve_http1(core, stream, &settings).await;
                }
            }
        }
    }

    async fn serve_http1<I>(self: &Rc<Self>, core: &Rc<Core>, stream: I, settings: &Settings)
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let limits = &settings.limits;
        let header_bytes = limits.header_bytes as usize;
        let service =
            service_fn(|request| proxy::answer(Rc::clone(core), Rc::clone(self), request));
        let served = pin!(
            http1::Builder::new()
                .header_read_timeout(None)
                .max_headers(limits.header_count as usize)
                .max_header_size(header_bytes)
                .max_buf_size(header_bytes.max(LEAST_BUFFER))
                .serve_connection(TokioIo::new(stream), service)
                .with_upgrades()
        );
        match self
            .drive(served, |served| {
                served.graceful_shutdown();
                false
            })
            .await
        {
            Driven::Ended(Err(error)) => core.count(self, &error),
            Driven::Ended(Ok(())) | Driven::Finished => {}
            Driven::Aborted => core.counters.protocol_error(ProtocolError::HeaderTimeout),
        }
    }

    async fn serve_http2<I>(self: &Rc<Self>, core: &Rc<Core>, stream: I, settings: &Settings)
    where
        I: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        self.http2.set(true);
        self.activity.stop_reading_head();
        // While it drains, one that has just come may still ask for something: it is told to go elsewhere after that.
        if matches!(core.phase(), Phase::Closing | Phase::Stopped) {
            self.command(Command::Finish);
        }
        let limits = &settings.limits;
        let (core_, connection) = (Rc::clone(core), Rc::clone(self));
        let service = service_fn(move |request| {
            proxy::answer(Rc::clone(&core_), Rc::clone(&connection), request)
        });
        let served = pin!(
            http2::Builder::new(LocalExecutor)
                .timer(TokioTimer::new())
                .max_header_list_size(limits.header_bytes)
                .max_concurrent_streams(limits.concurrent_streams)
                .serve_connection(TokioIo::new(stream), service)
        );
        match self
            .drive(served, |served| {
                served.graceful_shutdown();
                false
            })
            .await
        {
            Driven::Ended(Err(error)) => core.count(self, &error),
            Driven::Ended(Ok(())) | Driven::Finished | Driven::Aborted => {}
        }
    }
}

impl Core {
    // hyper has answered these by itself (400, 431), so no request shows them.
    fn count(&self, connection: &ClientConnection, error: &hyper::Error) {
        let (error, status, name) = if error.is_parse_too_large() {
            (ProtocolError::TooLarge, 431, "request_too_large")
        } else if error.is_parse() {
            (ProtocolError::Malformed, 400, "request_malformed")
        } else {
            return;
        };
        self.counters.protocol_error(error);
        if self.served().edge.settings.access_log.enabled {
            let peer = connection.peer.to_string();
            let scheme = connection.scheme().as_str();
            self.lines.push(&Line::unread(&peer, scheme, status, name));
        }
    }
}

/// Spawns on the core's own thread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LocalExecutor;

impl<F: Future<Output: 'static> + 'static> Executor<F> for LocalExecutor {
    fn execute(&self, future: F) {
        drop(tokio::task::spawn_local(future));
    }
}

// Whether the client starts with the preface of HTTP/2 (prior knowledge, RFC 9113, section 3.3).
async fn is_http2(stream: &Watched<TcpStream>) -> std::io::Result<bool> {
    let mut start = [0; PREFACE.len()];
    loop {
        let seen = stream.peek(&mut start).await?;
        if seen == 0 || start[..seen] != PREFACE[..seen] {
            return Ok(false);
        }
        if seen == PREFACE.len() {
            return Ok(true);
        }
        // A part of it: the socket stays readable, so there is nothing to wait for but time.
        tokio::time::sleep(PREFACE_PAUSE).await;
    }
}

const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const PREFACE_PAUSE: Duration = Duration::from_millis(5);
// hyper panics below this.
const LEAST_BUFFER: usize = 8192;
