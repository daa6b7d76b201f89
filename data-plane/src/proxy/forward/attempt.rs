//! One try: a connection to an endpoint, the request sent, and what becomes of both.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, Request, Response};
use hyper::body::Incoming;
use sluice_proto::{BackendProtocol, Settings};
use tokio::time::{Instant, timeout_at};

use crate::cores::Core;
use crate::proxy::body::{BodyFailure, ReceivedBody, RequestBody};
use crate::proxy::respond::Cause;
use crate::proxy::upstream::{Connected, Lease, is_unprocessed};
use crate::serving::{Endpoint, ServedBackend};

/// One try at one endpoint.
pub(super) struct Attempt<'a> {
    pub(super) core: &'a Rc<Core>,
    pub(super) settings: &'a Settings,
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

impl Attempt<'_> {
    /// Sends the request, and returns the header section of the response and the connection on which the rest comes.
    pub(super) async fn make(
        self,
        endpoint: Arc<Endpoint>,
        request: Request<RequestBody>,
    ) -> Result<(Response<Incoming>, Lease), Failed> {
        let outstanding = Arc::clone(&endpoint).begin();
        let timeouts = &self.settings.timeouts;
        let protocol = self.backend.protocol;
        let fresh = self.fresh || self.must_not_meet_an_end(request.method());
        let connecting = self
            .core
            .pool
            .connect(&endpoint, protocol, timeouts.connect, fresh);
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
        self.backend.connected(&endpoint);
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
                    spare.is_whole() && (spare.idempotent || is_unprocessed(&error))
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

impl Attempt<'_> {
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
        request: copy(request)?,
        idempotent,
    })
}

/// Returns a request once more, if its body can be had.
pub(super) fn copy(request: &Request<RequestBody>) -> Option<Request<RequestBody>> {
    let mut copy = Request::new(request.body().again()?);
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.version_mut() = request.version();
    *copy.headers_mut() = request.headers().clone();
    Some(copy)
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
        Some(BodyFailure::Incomplete) => Cause::RequestBodyIncomplete,
        Some(BodyFailure::Timeout) => Cause::RequestBodyTimeout,
        Some(BodyFailure::TooLarge) => Cause::RequestBodyTooLarge,
        None if error.is_parse() || error.is_parse_too_large() => Cause::ResponseMalformed,
        None | Some(BodyFailure::ReadAnew) => Cause::ConnectionClosed,
    }
}
