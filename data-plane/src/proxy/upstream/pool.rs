//! The connections of one core to endpoints. HTTP/1.1 connections wait here between requests; an HTTP/2 connection is
//! shared by all requests to its endpoint.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{LocalBoxFuture, Shared};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioIo, TokioTimer};
use ipnet::IpNet;
use sluice_proto::BackendProtocol;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use crate::cores::LocalExecutor;
use crate::proxy::body::RequestBody;
use crate::proxy::respond::Cause;
use crate::proxy::upstream::places::{Place, Places};
use crate::proxy::upstream::tls::ServerTls;
use crate::proxy::upstream::{Connected, Sender, dial, run};
use crate::serving::{Endpoint, EndpointAddress};

/// All connections of one core to endpoints.
pub(crate) struct Pool {
    endpoints: RefCell<HashMap<u64, Connections>>,
    places: Arc<Places>,
    // Addresses of this node that names may resolve to all the same.
    reachable: Arc<[IpNet]>,
}

#[derive(Default)]
struct Connections {
    idle: Vec<Idle>,
    http2: Option<Http2>,
}

struct Idle {
    sender: http1::SendRequest<RequestBody>,
    since: Instant,
}

struct Http2 {
    // All who want it wait for the same opening.
    opening: Shared<LocalBoxFuture<'static, Result<http2::SendRequest<RequestBody>, Cause>>>,
    // Counts who uses it.
    users: Rc<()>,
    last_used: Instant,
}

impl Pool {
    /// Returns an empty pool, whose connections take these places. Of this node's own addresses, names may resolve to
    /// `reachable` ones.
    pub(crate) fn new(places: Arc<Places>, reachable: Arc<[IpNet]>) -> Self {
        Self {
            endpoints: RefCell::default(),
            places,
            reachable,
        }
    }

    /// Returns a connection to this endpoint: one that waits, unless a `fresh` one is needed, or a new one, which may take
    /// `limit` to open.
    pub(in crate::proxy) async fn connect(
        &self,
        endpoint: &Endpoint,
        protocol: BackendProtocol,
        limit: Duration,
        fresh: bool,
    ) -> Result<Connected, Cause> {
        let reused = match protocol {
            BackendProtocol::H2c => return self.share(endpoint, limit, fresh).await,
            BackendProtocol::Http1 if fresh => None,
            BackendProtocol::Http1 => self.take(endpoint.id),
        };
        let (sender, reused) = match reused {
            Some(sender) => (sender, true),
            None => {
                let place = self.place().await?;
                // Large, and seldom: a request needs no room for it.
                let opening = Box::pin(self.open_http1(endpoint, limit, place));
                (opening.await?, false)
            }
        };
        Ok(Connected {
            endpoint: endpoint.id,
            sender: Sender::Http1(sender),
            reused,
        })
    }

    /// Takes a connection back, to be used again.
    pub(super) fn put(&self, endpoint: u64, sender: http1::SendRequest<RequestBody>) {
        if sender.is_closed() {
            return;
        }
        let mut endpoints = self.endpoints.borrow_mut();
        let idle = &mut endpoints.entry(endpoint).or_default().idle;
        if idle.len() < MOST_IDLE {
            let since = Instant::now();
            idle.push(Idle { sender, since });
        }
    }

    /// Closes what has not been used for `idle`.
    pub(crate) fn close_idle(&self, idle: Duration) {
        let now = Instant::now();
        self.endpoints.borrow_mut().retain(|_, connections| {
            connections.idle.retain(|connection| {
                now.duration_since(connection.since) < idle && !connection.sender.is_closed()
            });
            connections.http2.take_if(|http2| {
                if Rc::strong_count(&http2.users) > 1 {
                    http2.last_used = now;
                }
                now.duration_since(http2.last_used) >= idle
            });
            !connections.idle.is_empty() || connections.http2.is_some()
        });
    }

    // Where all are taken, connections that wait for requests make room.
    async fn place(&self) -> Result<Place, Cause> {
        if let Some(place) = self.places.take() {
            return Ok(place);
        }
        self.close_idle(Duration::ZERO);
        // They end when their tasks have had a turn.
        tokio::task::yield_now().await;
        self.places.take().ok_or(Cause::TooManyConnections)
    }

    async fn open_http1(
        &self,
        endpoint: &Endpoint,
        limit: Duration,
        place: Place,
    ) -> Result<http1::SendRequest<RequestBody>, Cause> {
        let stream = dial::dial(&endpoint.address, &self.reachable, limit).await?;
        match &endpoint.tls {
            None => speak_http1(stream, place).await,
            Some(tls) => speak_http1(tls.connect(stream, limit).await?, place).await,
        }
    }

    // The one used last: it is the least likely to be closed from the other side, and the others get old and go.
    fn take(&self, endpoint: u64) -> Option<http1::SendRequest<RequestBody>> {
        let mut endpoints = self.endpoints.borrow_mut();
        let idle = &mut endpoints.get_mut(&endpoint)?.idle;
        for at in (0..idle.len()).rev() {
            if idle[at].sender.is_closed() {
                idle.remove(at);
            } else if idle[at].sender.is_ready() {
                return Some(idle.remove(at).sender);
            }
            // Any other has not quite ended with its last request.
        }
        None
    }

    async fn share(
        &self,
        endpoint: &Endpoint,
        limit: Duration,
        fresh: bool,
    ) -> Result<Connected, Cause> {
        let (opening, users, reused) = {
            let mut endpoints = self.endpoints.borrow_mut();
            let slot = &mut endpoints.entry(endpoint.id).or_default().http2;
            slot.take_if(|http2| match http2.opening.peek() {
                Some(Ok(sender)) => fresh || sender.is_closed(),
                Some(Err(_)) => true,
                None => false,
            });
            let http2 = slot.get_or_insert_with(|| Http2 {
                opening: open_http2(
                    endpoint.address.clone(),
                    endpoint.tls.clone(),
                    Arc::clone(&self.reachable),
                    limit,
                    self.places.take(),
                )
                .boxed_local()
                .shared(),
                users: Rc::default(),
                last_used: Instant::now(),
            });
            let reused = http2.opening.peek().is_some();
            (http2.opening.clone(), Rc::clone(&http2.users), reused)
        };
        let sender = opening.await?;
        Ok(Connected {
            endpoint: endpoint.id,
            sender: Sender::Http2 {
                sender,
                _user: users,
            },
            reused,
        })
    }
}

async fn speak_http1<I>(stream: I, place: Place) -> Result<http1::SendRequest<RequestBody>, Cause>
where
    I: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let opened = http1::Builder::new()
        .max_buf_size(MOST_BUFFERED)
        .handshake(TokioIo::new(stream))
        .await;
    let (sender, connection) = opened.map_err(|_| Cause::ConnectionClosed)?;
    run(connection.with_upgrades(), place);
    Ok(sender)
}

async fn open_http2(
    address: EndpointAddress,
    tls: Option<ServerTls>,
    reachable: Arc<[IpNet]>,
    limit: Duration,
    place: Option<Place>,
) -> Result<http2::SendRequest<RequestBody>, Cause> {
    let place = place.ok_or(Cause::TooManyConnections)?;
    let stream = dial::dial(&address, &reachable, limit).await?;
    match tls {
        None => speak_http2(stream, place).await,
        Some(tls) => speak_http2(tls.connect(stream, limit).await?, place).await,
    }
}

async fn speak_http2<I>(stream: I, place: Place) -> Result<http2::SendRequest<RequestBody>, Cause>
where
    I: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let opened = http2::Builder::new(LocalExecutor)
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_AFTER)
        .keep_alive_timeout(PING_TIMEOUT)
        .handshake(TokioIo::new(stream))
        .await;
    let (sender, connection) = opened.map_err(|_| Cause::ConnectionClosed)?;
    run(connection, place);
    Ok(sender)
}

const MOST_IDLE: usize = 256;
// For a client that takes nothing, an endpoint's answer is kept up to here; a header section has to fit in, too.
const MOST_BUFFERED: usize = 32 << 10;
// A connection that carries many requests must not lose them all to a peer that vanished.
const PING_AFTER: Duration = Duration::from_secs(20);
const PING_TIMEOUT: Duration = Duration::from_secs(10);
