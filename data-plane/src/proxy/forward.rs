//! Sends a request to an endpoint, and to another one where that is safe.
//!
//! A connect failure, or a reused connection that closed before any byte of the response, moves on when the request was
//! never written, or is idempotent and nothing of its body was taken. Where nobody can be reached, it waits a moment for
//! news of others. If the route has a policy that says so, all of that is done again after a failure (`forward/retries.rs`).

mod attempt;
mod retries;
mod tries;

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use http::header::SET_COOKIE;
use http::{HeaderValue, Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use sluice_proto::Timeouts;
use tokio::time::sleep;

use crate::cores::Core;
use crate::policy::Retry;
use crate::proxy::body::RequestBody;
use crate::proxy::exchange::Exchange;
use crate::proxy::forward::attempt::Attempt;
use crate::proxy::forward::retries::Retries;
use crate::proxy::forward::tries::Tries;
use crate::proxy::headers::remove_connection_headers;
use crate::proxy::respond::Cause;
use crate::proxy::response_body::ResponseBody;
use crate::proxy::upgrade::Wanted;
use crate::proxy::upstream::{Lease, for_protocol};
use crate::proxy::{tunnel, upgrade};
use crate::serving::{Affinity, Drawn, Endpoint, ServedBackend};

/// What an endpoint answered.
pub(super) struct Forwarded {
    response: Response<Incoming>,
    lease: Lease,
    // Both sides of a connection that changes its protocol.
    tunnel: Option<(OnUpgrade, OnUpgrade)>,
    // How long it may pause.
    idle: Duration,
    // By what the client comes back to this endpoint, if it does not know yet.
    cookie: Option<HeaderValue>,
}

/// Where a request is forwarded to.
pub(super) struct Destination<'a> {
    backend: &'a ServedBackend,
    // The endpoint that the client was with.
    preferred: Option<Arc<Endpoint>>,
    affinity: Option<&'a Affinity>,
    // When it is sent again.
    retry: Option<&'a Retry>,
}

impl<'a> Destination<'a> {
    pub(super) fn of(
        drawn: &Drawn<'a>,
        affinity: Option<&'a Affinity>,
        retry: Option<&'a Retry>,
    ) -> Result<Self, Cause> {
        let backend = drawn.share.backend.as_deref();
        Ok(Self {
            backend: backend.ok_or(Cause::BackendMissing)?,
            preferred: drawn.preferred.clone(),
            affinity,
            retry,
        })
    }

    fn cookie(&self, endpoint: &Endpoint) -> Option<HeaderValue> {
        let knows = self
            .preferred
            .as_ref()
            .is_some_and(|preferred| preferred.id == endpoint.id);
        if knows {
            return None;
        }
        self.affinity?.set_cookie(endpoint)
    }
}

/// Forwards a request to an endpoint of its backend, as often as its route says.
pub(super) async fn forward(
    core: &Rc<Core>,
    timeouts: &Timeouts,
    destination: Destination<'_>,
    exchange: &mut Exchange,
    request: Request<RequestBody>,
    wanted: Option<Wanted>,
) -> Result<Forwarded, Cause> {
    let backend = destination.backend;
    let mut request = for_protocol(request, backend.protocol)?;
    let mut tries = Tries::beginning_with(destination.preferred.clone());
    let mut retries = Retries::new(destination.retry);
    loop {
        let spare = retries.spare(&request);
        let again = match ask(core, timeouts, backend, exchange, &mut tries, request).await {
            Ok((endpoint, response, lease)) => {
                let Some(again) = retries.after_answer(response.status(), spare) else {
                    let cookie = destination.cookie(&endpoint);
                    return Forwarded::of(response, lease, wanted, cookie, timeouts);
                };
                let idle = timeouts.response_body_idle;
                ResponseBody::discard(response.into_body(), lease, idle).await;
                again
            }
            Err(cause) => retries.after_failure(cause, spare)?,
        };
        backend.counters.retries.fetch_add(1, Ordering::Relaxed);
        tries.begin_anew();
        sleep(again.pause).await;
        request = again.request;
    }
}

// Once, but for what was never written.
async fn ask(
    core: &Rc<Core>,
    timeouts: &Timeouts,
    backend: &ServedBackend,
    exchange: &mut Exchange,
    tries: &mut Tries,
    mut request: Request<RequestBody>,
) -> Result<(Arc<Endpoint>, Response<Incoming>, Lease), Cause> {
    loop {
        let endpoint = tries.next(backend, &core.shared).await?;
        exchange.try_endpoint(&endpoint);
        let attempt = Attempt {
            core,
            timeouts,
            backend,
            fresh: tries.fresh,
        };
        match attempt.make(Arc::clone(&endpoint), request).await {
            Ok((response, lease)) => {
                exchange.upstream_answered();
                return Ok((endpoint, response, lease));
            }
            Err(failed) => request = tries.again(backend, &core.shared, &endpoint, failed)?,
        }
    }
}

impl Forwarded {
    fn of(
        mut response: Response<Incoming>,
        lease: Lease,
        wanted: Option<Wanted>,
        cookie: Option<HeaderValue>,
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
            cookie,
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
        if let Some(cookie) = self.cookie {
            parts.headers.append(SET_COOKIE, cookie);
        }
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
