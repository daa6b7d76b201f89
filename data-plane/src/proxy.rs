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
use http::{HeaderValue, Method, Request, Response, StatusCode, Version};
use http_body::Body;
use hyper::body::Incoming;

use crate::cores::{ClientConnection, Core, Phase, RequestInFlight};
use crate::memory::Pressure;
use crate::proxy::exchange::Exchange;
use crate::proxy::forward::{Forwarded, forward};
use crate::proxy::respond::{Cause, respond};
use crate::proxy::response_body::ResponseBody;
use crate::proxy::target::Target;
use crate::serving::{Answer, Served, ServedRoute, Share, Shares};

pub(crate) use crate::proxy::forwarded::address_value;
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
    let mut response = match route_and_forward(&core, &connection, &mut exchange, request).await {
        Ok(forwarded) => forwarded.into_response(exchange),
        Err(cause) => respond(cause, exchange),
    };
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
    mut request: Request<Incoming>,
) -> Result<Forwarded, Cause> {
    if core.shared.pressure.load() == Pressure::Scarce {
        return Err(Cause::MemoryShort);
    }
    let served = core.served();
    let target = Target::of(&request);
    let route = find(&served, &target, &request);
    // Whom to believe is known only with the route.
    let settings = match &route {
        Ok(route) => route.settings(&served.edge),
        Err(_) => &served.edge,
    };
    let client = forwarded::client(&settings.trusted, connection, &request);
    exchange.identify(&settings.settings, &client, &request);
    let limit = served.edge.settings.limits.header_count as usize;
    // HTTP/1.1 has counted while parsing; HTTP/2 has not.
    if request.headers().len() > limit {
        return Err(Cause::HeaderCount);
    }
    if request.method() == Method::CONNECT {
        return Err(Cause::Connect);
    }
    let target = target?;
    exchange.aim(&target);
    let route = route?;
    exchange.take_route(route);
    let share = draw(route, exchange)?;
    let Some(backend) = &share.backend else {
        return Err(Cause::BackendMissing);
    };
    let upgrade = upgrade::wanted(&mut request);
    headers::prepare(&mut request, &target, upgrade.as_ref());
    forwarded::name_client(
        &mut request,
        connection,
        &client,
        &target,
        exchange.request_id(),
        &settings.trusted,
    );
    let settings = &settings.settings;
    forward(core, settings, backend, exchange, request, upgrade).await
}

fn find<'a>(
    served: &'a Served,
    target: &Result<Target, Cause>,
    request: &Request<Incoming>,
) -> Result<&'a Arc<ServedRoute>, Cause> {
    let target = target.as_ref().map_err(Cause::clone)?;
    let route = served.routes.lookup(target.host(), request.uri().path());
    route.ok_or(Cause::NoRoute)
}

fn draw<'a>(route: &'a ServedRoute, exchange: &mut Exchange) -> Result<&'a Share, Cause> {
    match &route.answer {
        Answer::Unavailable { code, counters } => {
            exchange.count_with(counters);
            Err(Cause::Unavailable(Arc::clone(code)))
        }
        Answer::Backends(shares) if route.certificate_has_ended() => {
            count_unanswered(shares, exchange);
            Err(Cause::Unavailable("CertificateEnded".into()))
        }
        Answer::Backends(shares) => {
            let Some(share) = shares.draw() else {
                count_unanswered(shares, exchange);
                return Err(Cause::NoWeight);
            };
            exchange.count_with(&share.counters);
            exchange.take_backend(&share.name);
            Ok(share)
        }
    }
}

fn count_unanswered(shares: &Shares, exchange: &mut Exchange) {
    if let Some(share) = shares.first() {
        exchange.count_with(&share.counters);
    }
}
