//! One try: a connection to an endpoint, the request sent, and what becomes of both.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::header::HOST;
use http::uri::Authority;
use http::{HeaderValue, Method, Request, Response, Uri};
use hyper::body::Incoming;
use sluice_proto::{BackendProtocol, Timeouts};
use tokio::time::{Instant, timeout_at};

use crate::cores::Core;
use crate::proxy::body::{self, ReceivedBody, RequestBody};
use crate::proxy::respond::Cause;
use crate::proxy::upstream::{Connected, Lease, is_unprocessed};
use crate::serving::{Endpoint, ServedBackend};

/// One try at one endpoint.
pub(super) struct Attempt<'a> {
    pub(super) core: &'a Rc<Core>,
    pub(super) timeouts: &'a Timeouts,
    pub(super) backend: &'a ServedBackend,
    /// Whether a new connection is needed.
    pub(super) fresh: bool,
}

/// Why a try failed.
pub(super) struct Failed {
    pub(super) cause: Cause,
    /// The request, if it may be tried again.
    pub(super) request: Option<Request<RequestBody>>,
    /// Whether there was a connection.
    pub(super) connected: bool,
}

impl Failed {
    fn connected(cause: Cause, request: Option<Request<RequestBody>>) -> Self {
        Self {
            cause,
            request,
            connected: true,
        }
    }
}

impl Attempt<'_> {
    /// Sends the request, and returns the header section of the response and the connection on which the rest comes.
    pub(super) async fn make(
        self,
        endpoint: Arc<Endpoint>,
        mut request: Request<RequestBody>,
    ) -> Result<(Response<Incoming>, Lease), Failed> {
        let outstanding = Arc::clone(&endpoint).begin();
        let timeouts = self.timeouts;
        let protocol = self.backend.protocol;
        let fresh = self.fresh || self.must_not_meet_an_end(request.method());
        let pool = &self.core.pool;
        let mut connected = match (pool.connect(&endpoint, protocol, timeouts.connect, fresh)).await
        {
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
        self.backend.connected(&endpoint);
        self.name_host(&mut request, &endpoint);
        let spare = spare(&request, &connected);
        let received = request.body().received().map(Rc::clone);
        let limit = timeouts.response_headers;
        match send(&mut connected, request, received.as_deref(), limit).await {
            Ok(response) => {
                let lease = Lease::new(outstanding, &self.core.pool, connected);
                Ok((response, lease))
            }
            Err(SendFailed::Timeout) => Err(Failed::connected(Cause::ResponseTimeout, None)),
            Err(SendFailed::Refused(request)) => {
                Err(Failed::connected(Cause::ConnectionClosed, Some(*request)))
            }
            Err(SendFailed::Lost(error)) => {
                let cause = cause_of(&error, received.as_deref());
                let closed = cause == Cause::ConnectionClosed;
                let safe = |spare: &Spare| {
                    spare.is_whole() && (spare.idempotent || is_unprocessed(&error))
                };
                let spare = spare.filter(|spare| closed && safe(spare));
                Err(Failed::connected(cause, spare.map(|spare| spare.request)))
            }
        }
    }
}

impl Attempt<'_> {
    // Each endpoint reads its own address, whoever was tried before.
    fn name_host(&self, request: &mut Request<RequestBody>, endpoint: &Endpoint) {
        if self.backend.own_host {
            name_endpoint(request, endpoint);
        }
    }

    // A connection that closes just when the request is written leaves open whether it was processed. Where pods are
    // replaced, that is likely, and what is not idempotent could not be sent again. HTTP/2 says what was not processed.
    fn must_not_meet_an_end(&self, method: &Method) -> bool {
        !is_idempotent(method)
            && self.backend.protocol == BackendProtocol::Http1
            && self.backend.is_changing()
    }
}

// A copy of a request that may have to be sent again.
struct Spare {
    request: Request<RequestBody>,
    idempotent: bool,
}

impl Spare {
    fn is_whole(&self) -> bool {
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
    Some(Spare {
        request: body::again(request)?,
        idempotent,
    })
}

// RFC 9110, section 9.2.2: "the PUT, DELETE, and safe request methods are idempotent."
fn is_idempotent(method: &Method) -> bool {
    method.is_idempotent()
}

fn name_endpoint(request: &mut Request<RequestBody>, endpoint: &Endpoint) {
    let address = endpoint.address.to_string();
    if request.uri().authority().is_some() {
        let mut parts = request.uri().clone().into_parts();
        parts.authority = Authority::try_from(address).ok();
        if let Ok(uri) = Uri::from_parts(parts) {
            *request.uri_mut() = uri;
        }
    } else if let Ok(host) = HeaderValue::try_from(address) {
        request.headers_mut().insert(HOST, host);
    }
}

enum SendFailed {
    Timeout,
    // Never written.
    Refused(Box<Request<RequestBody>>),
    Lost(hyper::Error),
}

async fn send(
    connected: &mut Connected,
    mut request: Request<RequestBody>,
    received: Option<&ReceivedBody>,
    limit: Duration,
) -> Result<Response<Incoming>, SendFailed> {
    request.body_mut().begin();
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
        Some(failure) => failure.cause(),
        None if error.is_parse() || error.is_parse_too_large() => Cause::ResponseMalformed,
        None => Cause::ConnectionClosed,
    }
}
