//! Answers over HTTP/1.1: everything on the admin socket, `/metrics` alone on a port.
//!
//! It does not know what the answers are.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::task::{AbortHandle, JoinSet};

use crate::admin::answer::{Admin, Answer};
use crate::admin::port::MetricsPort;

/// Answers on the admin socket until it is dropped.
pub(crate) async fn serve_socket(listener: UnixListener, admin: Arc<Admin>) -> Infallible {
    let mut connections = Connections::default();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let admin = Arc::clone(&admin);
                connections.serve(stream, move |path| admin.answer(path));
            }
            Err(error) => wait_after(&error).await,
        }
    }
}

/// Answers `/metrics` on a port until it is dropped, whenever the port is this process's.
pub(crate) async fn serve_metrics(port: Arc<MetricsPort>, admin: Arc<Admin>) -> Infallible {
    let mut connections = Connections::default();
    loop {
        let socket = port.opened().await;
        let listener = match socket.try_clone().and_then(TcpListener::from_std) {
            Ok(listener) => listener,
            Err(error) => {
                wait_after(&error).await;
                continue;
            }
        };
        let accepting = accept_metrics(&listener, &admin, &mut connections);
        tokio::select! {
            never = accepting => match never {},
            () = port.left() => {}
        }
    }
}

async fn accept_metrics(
    listener: &TcpListener,
    admin: &Arc<Admin>,
    connections: &mut Connections,
) -> Infallible {
    loop {
        match listener.accept().await {
            // Closed without a word: a stranger learns nothing, and costs nothing.
            Ok((_, peer)) if !admin.may_read_metrics(peer) => {}
            Ok((stream, _)) => {
                let admin = Arc::clone(admin);
                connections.serve(stream, move |path| match path {
                    "/metrics" => admin.metrics(),
                    _ => only_metrics(),
                });
            }
            Err(error) => wait_after(&error).await,
        }
    }
}

#[derive(Default)]
struct Connections {
    tasks: JoinSet<()>,
    // In the order in which they came.
    open: VecDeque<AbortHandle>,
}

impl Connections {
    fn serve(
        &mut self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        answer: impl Fn(&str) -> Answer + Send + 'static,
    ) {
        while self.tasks.try_join_next().is_some() {}
        // The oldest makes room: a crowd that says nothing must not keep a probe out.
        self.open.retain(|connection| !connection.is_finished());
        if self.open.len() >= CONNECTIONS
            && let Some(oldest) = self.open.pop_front()
        {
            oldest.abort();
        }
        self.open.push_back(self.tasks.spawn(async move {
            let service = service_fn(move |request: Request<_>| {
                let response = respond(&request, &answer);
                async move { Ok::<_, Infallible>(response) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(IDLE)
                .serve_connection(TokioIo::new(stream), service);
            // Whatever a prober or scraper does wrong is its own business.
            if let Err(error) = connection.await {
                tracing::debug!(%error, "an admin connection ended");
            }
        }));
    }
}

fn respond<B>(request: &Request<B>, answer: &impl Fn(&str) -> Answer) -> Response<Full<Bytes>> {
    let answer = if request.method() == Method::GET {
        answer(request.uri().path())
    } else {
        Answer {
            status: StatusCode::METHOD_NOT_ALLOWED,
            content_type: "text/plain; charset=utf-8",
            body: "only GET\n".to_owned(),
        }
    };
    let mut response = Response::new(Full::from(answer.body));
    *response.status_mut() = answer.status;
    let content_type = HeaderValue::from_static(answer.content_type);
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

fn only_metrics() -> Answer {
    Answer {
        status: StatusCode::NOT_FOUND,
        content_type: "text/plain; charset=utf-8",
        body: "only /metrics is here; the rest is on the admin socket\n".to_owned(),
    }
}

async fn wait_after(error: &std::io::Error) {
    // Out of descriptors, most likely: it may get better, and a probe that fails meanwhile is right to.
    tracing::warn!(%error, "cannot accept an admin connection");
    tokio::time::sleep(ACCEPT_AGAIN).await;
}

const CONNECTIONS: usize = 64;
const IDLE: Duration = Duration::from_secs(60);
const ACCEPT_AGAIN: Duration = Duration::from_millis(200);
