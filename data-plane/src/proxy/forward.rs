//! Sends a request to an endpoint, and to another one where that is safe.
//!
//! A connect failure, or a reused connection that closed before any byte of the response, moves on when the request was
//! never written, or is idempotent and nothing of its body was taken.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use http::{Method, Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use sluice_proto::{Settings, Timeouts};
use tokio::time::{Instant, timeout_at};

use crate::cores::Core;
use crate::proxy::body::{BodyFailure, ReceivedBody, RequestBody};
use crate::proxy::exchange::Exchange;
use crate::proxy::headers::remove_connection_headers;
use crate::proxy::respond::Cause;
use crate::proxy::response_body::ResponseBody;
use crate::proxy::upgrade::Wanted;
use crate::proxy::upstream::{Connected, Lease, for_protocol, is_unprocessed};
use crate::proxy::{tunnel, upgrade};
use crate::serving::{Endpoint, ServedBackend};

/// What an endpoint answered.
pub(super) struct Forwarded {
    response: Response<Incoming>,
    lease: Lease,
    // Both sides of a connection that changes its protocol.
    tunnel: Option<(OnUpgrade, OnUpgrade)>,
    // How long it may pause.
    idle: Duration,
}

/// Forwards a request to an endpoint of `backend`.
pub(super) async fn forward(
    core: &Rc<Core>,
    settings: &Settings,
    backend: &ServedBackend,
    exchange: &mut Exchange,
    request: Request<Incoming>,
    wanted: Option<Wanted>,
) -> Result<Forwarded, Cause> {
    let idle = settings.timeouts.request_body_idle;
    let connection = exchange.connection();
    let request = request.map(|incoming| RequestBody::new(incoming, connection, idle));
    exchange.take_body(request.body().received());
    let mut request = for_protocol(request, backend.protocol)?;
    let mut tries = Tries::default();
    loop {
        let stale = core.shared.endpoints_stale.load(Ordering::Relaxed);
        let Some(endpoint) = tries.pick(backend, stale) else {
            return Err(tries.cause.unwrap_or(Cause::NoEndpoints));
        };
        exchange.try_endpoint(&endpoint);
        let attempt = Attempt {
            core,
            settings,
            backend,
            fresh: tries.fresh,
        };
        match attempt.make(Arc::clone(&endpoint), request).await {
            Ok((response, lease)) => {
                exchange.upstream_answered();
                return Forwarded::of(response, lease, wanted, &settings.timeouts);
            }
            Err(failed) => request = tries.again(backend, &endpoint, failed)?,
        }
    }
}

#[derive(Default)]
struct Tries {
    made: u32,
    // Those that could not be reached.
    unreachable: Vec<u64>,
    // Those whose connection closed: they can be asked again, on a new connection, if there is no other.
    closed: Vec<u64>,
    fresh: bool,
    cause: Option<Cause>,
}

// Why a try failed, and the request, if it may be tried again.
struct Failed {
    cause: Cause,
    request: Option<Request<RequestBody>>,
    connected: bool,
}

impl Tries {
    fn pick(&mut self, backend: &ServedBackend, stale: bool) -> Option<Arc<Endpoint>> {
        if self.closed.is_empty() {
            return backend.pick(stale, &self.unreachable);
        }
        let tried = [&*self.closed, &*self.unreachable].concat();
        backend.pick(stale, &tried).or_else(|| {
            self.fresh = true;
            backend.pick(stale, &self.unreachable)
        })
    }

    fn again(
        &mut self,
        backend: &ServedBackend,
        endpoint: &Endpoint,
        failed: Failed,
    ) -> Result<Request<RequestBody>, Cause> {
        self.made += 1;
        let request = match failed.request {
            Some(request) if self.made < MOST_TRIES => request,
            _ => return Err(failed.cause),
        };
        backend.counters.retries.fetch_add(1, Ordering::Relaxed);
        if failed.connected {
            self.closed.push(endpoint.id);
        } else {
            self.unreachable.push(endpoint.id);
        }
        self.cause = Some(failed.cause);
        Ok(request)
    }
}

struct Attempt<'a> {
    core: &'a Rc<Core>,
    settings: &'a Settings,
    backend: &'a ServedBackend,
    // Whether a new connection is needed.
    fresh: bool,
}

impl Attempt<'_> {
    async fn make(
        self,
        endpoint: Arc<Endpoint>,
        request: Request<RequestBody>,
    ) -> Result<(Response<Incoming>, Lease), Failed> {
        let outstanding = Arc::clone(&endpoint).begin();
        let timeouts = &self.settings.timeouts;
        let protocol = self.backend.protocol;
        let connecting = self
            .core
            .pool
            .connect(&endpoint, protocol, timeouts.connect, self.fresh);
        let mut connected = match connecting.await {
            Ok(connected) => connected,
            Err(cause) => {
                self.backend.connect_failed(&endpoint);
                return Err(Failed {
                    cause,
                    request: Some(request),
                    connected: false,
                });
            }
        };
        endpoint.connected();
        let spare = spare(&request, &connected);
        let received = request.body().received().map(Rc::clone);
        let sent = send(
            &mut connected,
            request,
            received.as_deref(),
            timeouts.response_headers,
        );
        match sent.await {
            Ok(response) => {
                let lease = Lease::new(outstanding, &self.core.pool, connected);
                Ok((response, lease))
            }
            Err(SendFailed::Timeout) => Err(Failed {
                cause: Cause::ResponseTimeout,
                request: None,
                connected: true,
            }),
            Err(SendFailed::Refused(request)) => Err(Failed {
                cause: Cause::ConnectionClosed,
                request: Some(*request),
                connected: true,
            }),
            Err(SendFailed::Lost(error)) => {
                let cause = cause_of(&error, received.as_deref());
                let closed = cause == Cause::ConnectionClosed;
                let safe = |spare: &Spare| {
                    spare.untouched() && (spare.idempotent || is_unprocessed(&error))
                };
                Err(Failed {
                    request: spare
                        .filter(|spare| closed && safe(spare))
                        .map(|spare| spare.request),
                    cause,
                    connected: true,
                })
            }
        }
    }
}

// A copy of a request that may have to be sent again.
struct Spare {
    request: Request<RequestBody>,
    idempotent: bool,
}

impl Spare {
    fn untouched(&self) -> bool {
        self.request.body().again().is_some()
    }
}

// A new connection does not close without a reason, and what is not idempotent is sent again only where the protocol says
// that it was not processed.
fn spare(request: &Request<RequestBody>, connected: &Connected) -> Option<Spare> {
    let idempotent = is_idempotent(request.method());
    if !connected.is_reused() || !(idempotent || connected.is_http2()) {
        return None;
    }
    let mut copy = Request::new(request.body().again()?);
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.version_mut() = request.version();
    *copy.headers_mut() = request.headers().clone();
    Some(Spare {
        request: copy,
        idempotent,
    })
}

// RFC 9110, section 9.2.2: "the PUT, DELETE, and safe request methods are idempotent."
fn is_idempotent(method: &Method) -> bool {
    method.is_idempotent()
}

enum SendFailed {
    Timeout,
    // Never written.
    Refused(Box<Request<RequestBody>>),
    Lost(hyper::Error),
}

async fn send(
    connected: &mut Connected,
    request: Request<RequestBody>,
    received: Option<&ReceivedBody>,
    limit: Duration,
) -> Result<Response<Incoming>, SendFailed> {
    let mut sending = std::pin::pin!(connected.send(request));
    let mut due = Instant::now() + limit;
    loop {
        let Ok(sent) = timeout_at(due, sending.as_mut()).await else {
            // The time runs from the end of the request: not while the client still owes a part of it.
            match received {
                Some(received) if received.is_waiting() => due = Instant::now() + limit,
                Some(received) if received.last_piece() + limit > due => {
                    due = received.last_piece() + limit;
                }
                _ => return Err(SendFailed::Timeout),
            }
            continue;
        };
        return sent.map_err(|mut failed| match failed.take_message() {
            Some(request) => SendFailed::Refused(Box::new(request)),
            None => SendFailed::Lost(failed.into_error()),
        });
    }
}

fn cause_of(error: &hyper::Error, received: Option<&ReceivedBody>) -> Cause {
    match received.and_then(ReceivedBody::failure) {
        Some(BodyFailure::Incomplete) => Cause::RequestBodyIncomplete,
        Some(BodyFailure::Timeout) => Cause::RequestBodyTimeout,
        None if error.is_parse() || error.is_parse_too_large() => Cause::ResponseMalformed,
        None => Cause::ConnectionClosed,
    }
}

impl Forwarded {
    fn of(
        mut response: Response<Incoming>,
        lease: Lease,
        wanted: Option<Wanted>,
        timeouts: &Timeouts,
    ) -> Result<Self, Cause> {
        let tunnel = if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            let client = wanted.ok_or(Cause::UpgradeRefused)?.into_client();
            Some((client, hyper::upgrade::on(&mut response)))
        } else {
            None
        };
        let idle = match tunnel {
            Some(_) => timeouts.upgrade_idle,
            None => timeouts.response_body_idle,
        };
        Ok(Self {
            response,
            lease,
            tunnel,
            idle,
        })
    }

    /// Returns what the client gets.
    pub(super) fn into_response(self, mut exchange: Box<Exchange>) -> Response<ResponseBody> {
        let (mut parts, incoming) = self.response.into_parts();
        let protocol = self
            .tunnel
            .is_some()
            .then(|| upgrade::protocol(&parts.headers))
            .flatten();
        remove_connection_headers(&mut parts.headers);
        parts.extensions.clear();
        // RFC 9110, section 2.5: a proxy sends "its own HTTP-version in forwarded messages". The client of an HTTP/1.0
        // endpoint could not tell a whole body from a part of it.
        parts.version = Version::HTTP_11;
        let Some((client, endpoint)) = self.tunnel else {
            let status = parts.status;
            let body = ResponseBody::streamed(incoming, self.lease, self.idle, exchange, status);
            return Response::from_parts(parts, body);
        };
        upgrade::restore(&mut parts.headers, protocol);
        exchange.answered(parts.status);
        tunnel::spawn(client, endpoint, self.lease, self.idle, exchange);
        Response::from_parts(parts, ResponseBody::none())
    }
}

const MOST_TRIES: u32 = 4;
