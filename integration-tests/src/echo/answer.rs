//! What the echo server answers. Sockets and connections are in [`super`], what a request may ask for in [`wishes`](super::wishes).

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::upgrade::OnUpgrade;
use serde::{Deserialize, Serialize};
use tokio::sync::{oneshot, watch};
use tokio::time::sleep;

use super::websocket;
use super::wishes::{Sequences, Wishes};

/// What the echo server saw of a request.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Seen {
    /// Who answers.
    pub name: String,
    /// The request's method.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The query; empty if there is none.
    pub query: String,
    /// `Host`, or `:authority`.
    pub host: String,
    /// Such as `HTTP/1.1`.
    pub version: String,
    /// Every header's values, in the order in which they came.
    pub headers: BTreeMap<String, Vec<String>>,
    /// Who is connected: the proxy.
    pub peer: SocketAddr,
    /// The name that was asked for (SNI); `None` without TLS.
    pub tls: Option<String>,
    /// How many bytes of body came.
    pub body_bytes: usize,
}

/// Answers the requests of one connection.
pub(super) struct Answerer {
    name: Arc<str>,
    peer: SocketAddr,
    tls: Option<String>,
    sequences: Arc<Sequences>,
    /// Taken by the one request that turns the connection into something else.
    upgrade: Mutex<Option<oneshot::Sender<OnUpgrade>>>,
    asked: watch::Sender<bool>,
}

impl Answerer {
    pub(super) fn new(
        name: Arc<str>,
        peer: SocketAddr,
        tls: Option<String>,
        sequences: Arc<Sequences>,
    ) -> Self {
        Self {
            name,
            peer,
            tls,
            sequences,
            upgrade: Mutex::new(None),
            asked: watch::Sender::new(false),
        }
    }

    /// Hands an upgraded connection to `upgrade`.
    pub(super) fn upgrading_through(mut self, upgrade: oneshot::Sender<OnUpgrade>) -> Self {
        self.upgrade = Mutex::new(Some(upgrade));
        self
    }

    /// Completes when there has been a request.
    pub(super) async fn has_been_asked(&self) {
        // The sender is this very value.
        let _ = self.asked.subscribe().wait_for(|asked| *asked).await;
    }

    pub(super) async fn answer(
        &self,
        request: Request<Incoming>,
    ) -> Result<Response<Body>, Infallible> {
        self.asked.send_replace(true);
        let wishes = Wishes::of(&request);
        let mut response = match request.uri().path() {
            "/held" => Response::new(text(&self.sequences.held(&wishes).to_string())),
            "/let-go" => {
                self.sequences.let_go(&wishes);
                Response::new(text(""))
            }
            _ if self.sequences.fails(&wishes) => {
                // A connection that is closed with a body unread is reset, and the answer may be lost.
                let _ = request.into_body().collect().await;
                plain(StatusCode::SERVICE_UNAVAILABLE, "as asked\n".to_owned())
            }
            _ => {
                self.sequences.wait_for_gate(&wishes).await;
                self.respond(request).await
            }
        };
        wishes.fulfil(&mut response);
        if let Ok(name) = HeaderValue::from_str(&self.name) {
            response.headers_mut().insert(NAME_HEADER, name);
        }
        Ok(response)
    }

    async fn respond(&self, mut request: Request<Incoming>) -> Response<Body> {
        if websocket::is_asked_for(&request) {
            return match websocket::accept(&request) {
                Ok(response) => {
                    let mut upgrade = self.upgrade.lock().unwrap_or_else(PoisonError::into_inner);
                    if let Some(upgrade) = upgrade.take() {
                        let _ = upgrade.send(hyper::upgrade::on(&mut request));
                    }
                    response.map(|()| text(""))
                }
                Err(error) => plain(
                    StatusCode::BAD_REQUEST,
                    format!("no WebSocket handshake: {error}\n"),
                ),
            };
        }
        let query = request.uri().query().unwrap_or_default().to_owned();
        if let Some(delay) = parameter::<u64>(&query, "delay_ms") {
            sleep(Duration::from_millis(delay.min(MAX_MS))).await;
        }
        if request.method() == Method::POST && request.uri().path() == "/echo" {
            return Response::new(request.into_body().boxed());
        }
        if let Some(chunks) = parameter::<u32>(&query, "chunks") {
            let interval = parameter(&query, "interval_ms").unwrap_or(100).min(MAX_MS);
            return Response::new(lines(chunks, Duration::from_millis(interval)));
        }
        if let Some(bytes) = parameter(&query, "bytes") {
            return Response::new(zeros(bytes));
        }
        if let Some(length) = parameter::<usize>(&query, "length") {
            return Response::new(text(&"0".repeat(length.min(ZEROS.len()))));
        }
        self.describe(request).await
    }

    async fn describe(&self, request: Request<Incoming>) -> Response<Body> {
        let (parts, mut body) = request.into_parts();
        let mut body_bytes = 0;
        while let Some(frame) = body.frame().await {
            match frame {
                Ok(frame) => body_bytes += frame.data_ref().map_or(0, Bytes::len),
                // The request broke off; whoever sent it will hardly read this.
                Err(error) => return plain(StatusCode::BAD_REQUEST, format!("{error}\n")),
            }
        }
        let mut headers = BTreeMap::<String, Vec<String>>::new();
        for (name, value) in &parts.headers {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            headers.entry(name.to_string()).or_default().push(value);
        }
        let host = parts
            .headers
            .get(HOST)
            .map(|host| String::from_utf8_lossy(host.as_bytes()).into_owned());
        let seen = Seen {
            name: self.name.to_string(),
            method: parts.method.to_string(),
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            host: host
                .or_else(|| parts.uri.authority().map(ToString::to_string))
                .unwrap_or_default(),
            version: format!("{:?}", parts.version),
            headers,
            peer: self.peer,
            tls: self.tls.clone(),
            body_bytes,
        };
        let told_in = parameter::<HeaderName>(&seen.query, "tell");
        match serde_json::to_string_pretty(&seen) {
            Ok(json) => {
                let mut response = Response::new(text(&(json + "\n")));
                let headers = response.headers_mut();
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                if let (Some(name), Ok(value)) = (told_in, header_value(&seen)) {
                    headers.insert(name, value);
                }
                response
            }
            Err(error) => plain(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
        }
    }
}

/// Names the server in every answer, the streamed ones included.
pub const NAME_HEADER: &str = "x-echo-name";

type Body = BoxBody<Bytes, hyper::Error>;

/// A parameter of a query; one that is no such thing is as if it were not there.
pub(super) fn parameter<T: FromStr>(query: &str, name: &str) -> Option<T> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs
        .find(|(key, _)| *key == name)
        .and_then(|(_, value)| value.parse().ok())
}

/// What it saw, on one line.
fn header_value(seen: &Seen) -> anyhow::Result<HeaderValue> {
    Ok(HeaderValue::try_from(serde_json::to_string(seen)?)?)
}

/// A body of `count` lines, one every `interval`; the first comes at once.
fn lines(count: u32, interval: Duration) -> Body {
    let lines = stream::unfold(0, move |sent| async move {
        if sent == count {
            return None;
        }
        if sent > 0 {
            sleep(interval).await;
        }
        Some((
            Ok(Frame::data(Bytes::from(format!("line {sent}\n")))),
            sent + 1,
        ))
    });
    BodyExt::boxed(StreamBody::new(lines))
}

/// A body of so many bytes, as fast as they are taken.
fn zeros(bytes: usize) -> Body {
    let pieces = stream::unfold(bytes, |left| async move {
        let piece = &ZEROS[..left.min(ZEROS.len())];
        let frame = Frame::data(Bytes::from_static(piece));
        (!piece.is_empty()).then(|| (Ok(frame), left - piece.len()))
    });
    BodyExt::boxed(StreamBody::new(pieces))
}

fn plain(status: StatusCode, message: String) -> Response<Body> {
    let mut response = Response::new(text(&message));
    *response.status_mut() = status;
    response
}

fn text(text: &str) -> Body {
    Full::new(Bytes::copy_from_slice(text.as_bytes()))
        .map_err(|never| match never {})
        .boxed()
}

static ZEROS: [u8; 65_536] = [0; 65_536];
/// The longest that it waits for anything.
const MAX_MS: u64 = 60_000;
