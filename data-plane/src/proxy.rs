//! One request, from its header section to the end of its response: target, client, route, backend, endpoint,
//! connection, response.
//!
//! Everything here runs on the core that has the client's connection.
//!
//! What a backend may rely on: the request target, `Host` and all headers between the two ends come as the client sent
//! them, but for the path, which is normalised before it is compared ([`normalised_path`]). `X-Forwarded-For`,
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
mod subrequest;
mod target;
mod tunnel;
mod upgrade;
mod upstream;

use std::borrow::Cow;
use std::convert::Infallible;
use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;

use http::header::CONNECTION;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, Version};
use http_body::Body;
use hyper::body::Incoming;
use sluice_proto::normalised_path;
use tokio::time::{Instant, timeout_at};

use crate::cores::{ClientConnection, Core, Phase, RequestInFlight};
use crate::memory::Pressure;
use crate::policy::{Asked, Passage};
use crate::proxy::forward::{Destination, Forwarded, forward};
use crate::proxy::respond::respond;
use crate::proxy::target::Target;
use crate::serving::{Affinity, Answer, Drawn, Served, ServedRoute, Shares};

pub(crate) use crate::proxy::body::{NotKept, RequestBody};
pub(crate) use crate::proxy::exchange::Exchange;
pub(crate) use crate::proxy::forwarded::address_value;
pub(crate) use crate::proxy::headers::{read_alike, remove_connection_headers, remove_named};
pub(crate) use crate::proxy::respond::{Cause, Given, answer_instead};
pub(crate) use crate::proxy::response_body::ResponseBody;
pub(crate) use crate::proxy::subrequest::{InvalidService, Patience, Service, Unanswered};
pub(crate) use crate::proxy::upstream::{Places, Pool, ServerTls, UnusableTls};

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
    // A future that has a name is kept twice, and every connection has room for this one.
    let mut response =
        match route_and_forward(&core, &connection, &mut exchange, &mut passage, request).await {
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
    normalise(&mut request)?;
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
    check(&served, &request)?;
    let target = target?;
    exchange.aim(&target);
    let route = route?;
    exchange.take_route(route);
    let shares = available(route, exchange)?;
    let timeouts = route.timeouts.over(&settings.settings.timeouts);
    exchange.end_within(route.timeouts.request());
    let scheme = forwarded::scheme(connection, &client, &request);
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
    let asked = Asked {
        core,
        connection,
        peer: connection.peer,
        client: &client,
        scheme,
        host: target.host(),
        authority: target.authority().to_str().unwrap_or_default(),
        uri: request.uri().clone(),
    };
    let idle = timeouts.request_body_idle;
    let mut request = request.map(|incoming| RequestBody::new(incoming, connection, idle));
    exchange.take_body(request.body().received());
    let due = exchange.due();
    let forwarding = pin!(async {
        passage.enter(route, &asked, exchange, &mut request).await?;
        let affinity = route.affinity.as_ref();
        let drawn = draw(shares, affinity, exchange, request.headers())?;
        let destination = Destination::of(&drawn, affinity, route.retry())?;
        forward(core, &timeouts, destination, exchange, request, upgrade).await
    });
    by(due, forwarding).await
}

/// Refuses what no route may get.
fn check<B>(served: &Served, request: &Request<B>) -> Result<(), Cause> {
    let limit = served.edge.settings.limits.header_count as usize;
    // HTTP/1.1 has counted while parsing; HTTP/2 has not.
    if request.headers().len() > limit {
        return Err(Cause::HeaderCount);
    }
    if request.method() == Method::CONNECT {
        return Err(Cause::Connect);
    }
    Ok(())
}

/// Returns what `work` does, unless the time of its route is over before.
async fn by<T>(
    due: Option<Instant>,
    work: Pin<&mut impl Future<Output = Result<T, Cause>>>,
) -> Result<T, Cause> {
    match due {
        Some(due) => (timeout_at(due, work).await).unwrap_or(Err(Cause::RequestTimeout)),
        None => work.await,
    }
}

// What backends get is what was compared: otherwise one who reads paths in another way would serve what another route
// guards.
fn normalise<B>(request: &mut Request<B>) -> Result<(), Cause> {
    let Cow::Owned(normal) = normalised_path(request.uri().path()) else {
        return Ok(());
    };
    let text = match request.uri().query() {
        Some(query) => format!("{normal}?{query}"),
        None => normal,
    };
    let mut parts = request.uri().clone().into_parts();
    let text = PathAndQuery::try_from(text).map_err(|_| Cause::PathImpossible)?;
    parts.path_and_query = Some(text);
    *request.uri_mut() = Uri::from_parts(parts).map_err(|_| Cause::PathImpossible)?;
    Ok(())
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
