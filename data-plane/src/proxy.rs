//! One request, from its header section to the end of its response: target, client, route, backend, endpoint,
//! connection, response.
//!
//! Everything here runs on the core that has the client's connection.
//!
//! What a backend may rely on: the request target, `Host` and all headers between the two ends come as the client sent
//! them. Paths are compared and passed on byte by byte: no escape is decoded, no dot segment removed. `X-Forwarded-For`,
//! `-Proto`, `-Host` and `-Port`, `X-Real-IP` and `X-Request-Id` are set here (see `forwarded`); `Forwarded` is never
//! passed on.
//!
//! What is left out on purpose: `Via`, which RFC 9110, section 7.6.3, wants a gateway to add to requests; the proxies that
//! Sluice takes over from do not either, and some servers turn compression off when they see it. `CONNECT` is answered
//! 501. WebSocket over HTTP/2 (extended `CONNECT`, RFC 8441) is not offered: browsers then open an HTTP/1.1 connection.

mod body;
mod exchange;
mod forward;
mod forwarded;
mod headers;
mod request_id;
mod respond;
mod response_body;
mod target;
mod tunnel;
mod upgrade;
mod upstream;

use std::convert::Infallible;
use std::rc::Rc;
use std::sync::Arc;

use http::header::CONNECTION;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version};
use http_body::Body;
use hyper::body::Incoming;

use crate::cores::{ClientConnection, Core, Phase, RequestInFlight};
use crate::memory::Pressure;
use crate::policy::{Asked, Passage};
use crate::proxy::forward::{Destination, Forwarded, forward};
use crate::proxy::respond::respond;
use crate::proxy::target::Target;
use crate::serving::{Affinity, Answer, Drawn, Served, ServedRoute, Shares};

pub(crate) use crate::proxy::body::RequestBody;
pub(crate) use crate::proxy::exchange::Exchange;
pub(crate) use crate::proxy::forwarded::address_value;
pub(crate) use crate::proxy::respond::{Cause, answer_instead};
pub(crate) use crate::proxy::response_body::ResponseBody;
pub(crate) use crate::proxy::upstream::{Places, Pool};

/// Answers a request.
pub(crate) async fn answer(
    core: Rc<Core>,
    connection: Rc<ClientConnection>,
    request: Request<Incoming>,
) -> Result<Response<ResponseBody>, Infallible> {
    let is_http1 = request.version() < Version::HTTP_2;
    connection.set_unread(!request.body().is_end_stream());
    let is_leaving = core.phase() != Phase::Serving;
    if is_leaving && !is_http1 {
        connection.finish();
    }
    let mut exchange = Exchange::begin(RequestInFlight::begin(&core, &connection));
    let mut passage = Passage::default();
    let forwarded = route_and_forward(&core, &connection, &mut exchange, &mut passage, request);
    let mut response = match forwarded.await {
        Ok(forwarded) => forwarded.into_response(exchange),
        Err(cause) => respond(cause, exchange),
    };
    passage.leave(&mut response).await;
    let ends = response.status() != StatusCode::SWITCHING_PROTOCOLS;
    if is_http1 && ends && core.phase() != Phase::Serving {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(CONNECTION, close);
    }
    Ok(response)
}

async fn route_and_forward(
    core: &Rc<Core>,
    connection: &Rc<ClientConnection>,
    exchange: &mut Exchange,
    passage: &mut Passage,
    mut request: Request<Incoming>,
) -> Result<Forwarded, Cause> {
    if core.shared.pressure.load() == Pressure::Scarce {
        return Err(Cause::MemoryShort);
    }
    let served = core.served();
    let client = forwarded::client(&served, connection, &request);
    exchange.identify(&served, &client, &request);
    let limit = served.settings.limits.header_count as usize;
    // HTTP/1.1 has counted while parsing; HTTP/2 has not.
    if request.headers().len() > limit {
        return Err(Cause::HeaderCount);
    }
    if request.method() == Method::CONNECT {
        return Err(Cause::Connect);
    }
    let target = Target::of(&request)?;
    exchange.aim(&target);
    let route = find(&served, exchange, &target, &request)?;
    let shares = available(&route, exchange)?;
    let scheme = forwarded::scheme(connection, &client, &request);
    let upgrade = upgrade::wanted(&mut request);
    headers::prepare(&mut request, &target, upgrade.as_ref());
    forwarded::name_client(
        &mut request,
        connection,
        &client,
        &target,
        exchange.request_id(),
        &served,
    );
    let asked = Asked {
        core,
        peer: connection.peer,
        client: &client,
        scheme,
        host: target.host(),
        authority: target.authority().to_str().unwrap_or_default(),
    };
    let idle = served.settings.timeouts.request_body_idle;
    let mut request = request.map(|incoming| RequestBody::new(incoming, connection, idle));
    exchange.take_body(request.body().received());
    passage
        .enter(&route, &asked, exchange, &mut request)
        .await?;
    let affinity = route.affinity.as_ref();
    let drawn = draw(shares, affinity, exchange, request.headers())?;
    let backend = drawn.share.backend.as_deref();
    let destination = Destination {
        backend: backend.ok_or(Cause::BackendMissing)?,
        preferred: drawn.preferred.clone(),
        affinity,
        retry: route.retry(),
    };
    let settings = &served.settings;
    forward(core, settings, destination, exchange, request, upgrade).await
}

fn find(
    served: &Served,
    exchange: &mut Exchange,
    target: &Target,
    request: &Request<Incoming>,
) -> Result<Arc<ServedRoute>, Cause> {
    let route = served
        .routes
        .lookup(target.host(), request.uri().path())
        .ok_or(Cause::NoRoute)?;
    exchange.take_route(route);
    Ok(Arc::clone(route))
}

/// Returns those who may answer, unless nobody can.
fn available<'a>(route: &'a ServedRoute, exchange: &mut Exchange) -> Result<&'a Shares, Cause> {
    match &route.answer {
        Answer::Unavailable { code, counters } => {
            exchange.count_with(counters);
            Err(Cause::Unavailable(Arc::clone(code)))
        }
        Answer::Backends(shares) => {
            // Where none answers, the first one counts it.
            if let Some(first) = shares.first() {
                exchange.count_with(&first.counters);
            }
            if route.certificate_has_ended() {
                return Err(Cause::Unavailable("CertificateEnded".into()));
            }
            Ok(shares)
        }
    }
}

/// Returns where the request goes.
fn draw<'a>(
    shares: &'a Shares,
    affinity: Option<&Affinity>,
    exchange: &mut Exchange,
    headers: &HeaderMap,
) -> Result<Drawn<'a>, Cause> {
    let drawn = shares.draw(headers, affinity).ok_or(Cause::NoWeight)?;
    exchange.count_with(&drawn.share.counters);
    exchange.take_backend(&drawn.share.name);
    Ok(drawn)
}
