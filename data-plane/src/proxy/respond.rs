//! The only place that makes an answer of Sluice's own: a cause becomes a status, a `Proxy-Status` and a short text.
//!
//! Strangers read responses: no name of an object is in them, only the kind of error and the request's id, by which
//! whoever runs the edge finds the rest in the access log.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

use crate::proxy::exchange::Exchange;
use crate::proxy::response_body::ResponseBody;

/// Why Sluice answers by itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Cause {
    // The client is at fault.
    HostMissing,
    HostTwice,
    HostMalformed,
    HostContradicts,
    HeaderCount,
    HostNotAllowed,
    PathImpossible,
    Connect,
    RequestBodyIncomplete,
    RequestBodyTimeout,
    RequestBodyTooLarge,
    // This process is at fault, or whoever floods it.
    MemoryShort,
    // Nobody wrote a route for it.
    NoRoute,
    // A policy has something against it.
    AddressDenied(StatusCode),
    RateLimited(Duration),
    ConcurrencyReached,
    CredentialsMissing(HeaderValue),
    CredentialsWrong(HeaderValue),
    CredentialsBusy,
    ClientCertificateMissing,
    ClientCertificateWrong,
    Misdirected,
    // A service that decides has, or cannot be asked.
    AuthDenied(Box<Given>),
    AuthBodyTooLarge,
    AuthAnswerTooLarge,
    AuthBusy,
    AuthTimeout,
    AuthProhibited,
    AuthUnresolved,
    AuthUnreachable,
    AuthUntrusted,
    AuthBroken,
    // A policy answers it, and nothing is wrong.
    Redirected {
        status: StatusCode,
        location: HeaderValue,
    },
    Preflight(Box<Given>),
    // Whoever wrote the Ingress is at fault; the problem's code.
    Unavailable(Arc<str>),
    BackendMissing,
    NoWeight,
    NoEndpoints,
    AddressProhibited,
    // Too many requests at once, or too few descriptors.
    TooManyConnections,
    // The backend is at fault.
    NameUnresolved,
    ConnectRefused,
    ConnectTimeout,
    ConnectFailed,
    TlsFailed,
    ConnectionClosed,
    ResponseMalformed,
    ResponseTimeout,
    ResponseBodyTooLarge,
    UpgradeRefused,
    // All in all it took longer than its route allows.
    RequestTimeout,
}

/// An answer that a policy has made: it is given as it is.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Given {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

// What the log calls it, the closest of the "Proxy Error Types" of RFC 9209, the status, and what strangers read.
type Row = (&'static str, &'static str, StatusCode, &'static str);

impl Cause {
    /// Returns what the log calls it.
    pub(crate) fn name(&self) -> &'static str {
        self.row().0
    }

    /// Returns the code of the problem, if it is one.
    pub(crate) const fn problem(&self) -> Option<&Arc<str>> {
        match self {
            Self::Unavailable(code) => Some(code),
            _ => None,
        }
    }

    /// Returns whether something went wrong.
    const fn is_fault(&self) -> bool {
        !matches!(self, Self::Redirected { .. } | Self::Preflight(_))
    }

    /// Returns the answer, if a policy has made it.
    fn given(&self) -> Option<Given> {
        match self {
            Self::Preflight(given) | Self::AuthDenied(given) => Some(Given::clone(given)),
            _ => None,
        }
    }

    /// Returns the headers that tell the client what to do.
    fn headers(&self) -> Option<(HeaderName, HeaderValue)> {
        match self {
            Self::CredentialsMissing(challenge) | Self::CredentialsWrong(challenge) => {
                Some((WWW_AUTHENTICATE, challenge.clone()))
            }
            Self::Redirected { location, .. } => Some((LOCATION, location.clone())),
            // "Retry-After = HTTP-date / delay-seconds": whole ones.
            Self::RateLimited(wait) => {
                let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
                Some((RETRY_AFTER, HeaderValue::from(seconds)))
            }
            _ => None,
        }
    }

    #[rustfmt::skip]
    fn row(&self) -> Row {
        use StatusCode as S;
        match self {
            Self::HostMissing => ("host_missing", REQUEST, S::BAD_REQUEST, "the request names no host"),
            Self::HostTwice => ("host_twice", REQUEST, S::BAD_REQUEST, "the request names its host twice"),
            Self::HostMalformed => ("host_malformed", REQUEST, S::BAD_REQUEST, "the request's host is malformed"),
            Self::HostContradicts => ("host_contradicts", REQUEST, S::BAD_REQUEST, "the request names two hosts"),
            Self::HeaderCount => ("header_count", REQUEST, S::REQUEST_HEADER_FIELDS_TOO_LARGE, "the request has too many header fields"),
            Self::HostNotAllowed => ("host_not_allowed", DENIED, S::BAD_REQUEST, "the host is not served here"),
            Self::PathImpossible => ("path_impossible", REQUEST, S::BAD_REQUEST, "the request's path cannot be served"),
            Self::Connect => ("connect", DENIED, S::NOT_IMPLEMENTED, "CONNECT is not served here"),
            Self::RequestBodyIncomplete => ("request_body_incomplete", REQUEST, S::BAD_REQUEST, "the request's body is incomplete"),
            Self::RequestBodyTimeout => ("request_body_timeout", REQUEST, S::REQUEST_TIMEOUT, "the request's body did not come in time"),
            Self::RequestBodyTooLarge => ("request_body_too_large", REQUEST, S::PAYLOAD_TOO_LARGE, "the request's body is too large"),
            Self::MemoryShort => ("memory_short", "proxy_internal_error", S::SERVICE_UNAVAILABLE, "the proxy is overloaded; try again"),
            Self::NoRoute => ("no_route", "destination_not_found", S::NOT_FOUND, "nothing is served here"),
            Self::AddressDenied(status) => ("address_denied", DENIED, *status, "the client's address is not admitted"),
            Self::RateLimited(_) => ("rate_limited", DENIED, S::TOO_MANY_REQUESTS, "too many requests"),
            Self::ConcurrencyReached => ("concurrency_reached", DENIED, S::TOO_MANY_REQUESTS, "too many requests at once"),
            Self::CredentialsMissing(_) => ("credentials_missing", DENIED, S::UNAUTHORIZED, "a user name and a password are needed"),
            Self::CredentialsWrong(_) => ("credentials_wrong", DENIED, S::UNAUTHORIZED, "the user name or the password is wrong"),
            Self::CredentialsBusy => ("credentials_busy", "proxy_internal_error", S::SERVICE_UNAVAILABLE, "too many passwords are checked; try again"),
            Self::ClientCertificateMissing => ("client_certificate_missing", DENIED, S::FORBIDDEN, "a client certificate is needed"),
            Self::ClientCertificateWrong => ("client_certificate_wrong", DENIED, S::FORBIDDEN, "the client certificate is not accepted"),
            Self::Misdirected => ("misdirected", REQUEST, S::MISDIRECTED_REQUEST, "the connection was opened for another host"),
            Self::AuthDenied(given) => ("auth_denied", "", given.status, ""),
            Self::AuthBodyTooLarge => ("auth_body_too_large", DENIED, S::UNAUTHORIZED, "the request's body is too large to be checked"),
            Self::AuthAnswerTooLarge => ("auth_answer_too_large", DENIED, S::UNAUTHORIZED, UNCHECKED),
            Self::AuthBusy => ("auth_busy", "connection_limit_reached", S::SERVICE_UNAVAILABLE, UNCHECKED),
            Self::AuthTimeout => ("auth_timeout", "http_response_timeout", S::SERVICE_UNAVAILABLE, UNCHECKED),
            Self::AuthProhibited => ("auth_address_prohibited", "destination_ip_prohibited", S::SERVICE_UNAVAILABLE, UNCHECKED),
            Self::AuthUnresolved => ("auth_name_unresolved", "dns_error", S::SERVICE_UNAVAILABLE, UNCHECKED),
            Self::AuthUnreachable => ("auth_unreachable", "destination_unavailable", S::SERVICE_UNAVAILABLE, UNCHECKED),
            Self::AuthUntrusted => ("auth_tls_failed", "tls_certificate_error", S::SERVICE_UNAVAILABLE, UNCHECKED),
            Self::AuthBroken => ("auth_answer_broken", "http_response_incomplete", S::SERVICE_UNAVAILABLE, UNCHECKED),
            Self::Redirected { status, .. } => ("redirected", "", *status, "it is elsewhere"),
            Self::Preflight(given) => ("preflight", "", given.status, ""),
            Self::Unavailable(_) => ("unavailable", CONFIGURATION, S::SERVICE_UNAVAILABLE, UNAVAILABLE),
            Self::BackendMissing => ("backend_missing", CONFIGURATION, S::SERVICE_UNAVAILABLE, UNAVAILABLE),
            Self::NoWeight => ("no_weight", CONFIGURATION, S::SERVICE_UNAVAILABLE, UNAVAILABLE),
            Self::NoEndpoints => ("no_endpoints", "destination_unavailable", S::SERVICE_UNAVAILABLE, UNAVAILABLE),
            Self::AddressProhibited => ("address_prohibited", "destination_ip_prohibited", S::BAD_GATEWAY, UNREACHABLE),
            Self::TooManyConnections => ("too_many_connections", "connection_limit_reached", S::SERVICE_UNAVAILABLE, "the proxy is overloaded; try again"),
            Self::NameUnresolved => ("name_unresolved", "dns_error", S::BAD_GATEWAY, UNREACHABLE),
            Self::ConnectRefused => ("connect_refused", "connection_refused", S::BAD_GATEWAY, UNREACHABLE),
            Self::ConnectTimeout => ("connect_timeout", "connection_timeout", S::BAD_GATEWAY, UNREACHABLE),
            Self::ConnectFailed => ("connect_failed", "destination_ip_unroutable", S::BAD_GATEWAY, UNREACHABLE),
            Self::TlsFailed => ("tls_failed", "tls_certificate_error", S::BAD_GATEWAY, UNREACHABLE),
            Self::ConnectionClosed => ("connection_closed", "connection_terminated", S::BAD_GATEWAY, UNREACHABLE),
            Self::ResponseMalformed => ("response_malformed", "http_protocol_error", S::BAD_GATEWAY, UNREACHABLE),
            // Traefik's status, not the 502 that RFC 9209 recommends.
            Self::ResponseBodyTooLarge => ("response_body_too_large", "http_response_body_size", S::INTERNAL_SERVER_ERROR, "the service's answer is too large"),
            Self::UpgradeRefused => ("upgrade_refused", "http_upgrade_failed", S::BAD_GATEWAY, UNREACHABLE),
            Self::ResponseTimeout => ("response_timeout", "http_response_timeout", S::GATEWAY_TIMEOUT, LATE),
            Self::RequestTimeout => ("request_timeout", "http_response_timeout", S::GATEWAY_TIMEOUT, LATE),
        }
    }
}

/// Returns the answer that this cause becomes.
pub(super) fn respond(cause: Cause, mut exchange: Box<Exchange>) -> Response<ResponseBody> {
    let (_, proxy_error, status, reason) = cause.row();
    let (own, given) = (cause.headers(), cause.given());
    let id = exchange
        .request_id()
        .to_str()
        .unwrap_or_default()
        .to_owned();
    if cause.is_fault() {
        exchange.fail(cause);
    }
    if let Some(given) = given {
        let body = ResponseBody::own(given.body, exchange, status);
        let mut response = Response::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = given.headers;
        return response;
    }
    let text = format!(
        "{} {}: {reason} (request {id})\n",
        status.as_u16(),
        status.canonical_reason().unwrap_or_default(),
    );
    let proxy_status = format!("sluice; error={proxy_error}; details=\"request {id}\"");
    let mut response = Response::new(ResponseBody::own(Bytes::from(text), exchange, status));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let (false, Ok(proxy_status)) = (proxy_error.is_empty(), HeaderValue::try_from(proxy_status))
    {
        headers.insert(PROXY_STATUS, proxy_status);
    }
    headers.extend(own);
    response
}

/// Puts what this cause becomes in the place of a response that a policy does not let pass. What is left of that one is
/// not read, so its connection is closed.
pub(crate) fn answer_instead(
    response: &mut Response<ResponseBody>,
    policy: &Arc<str>,
    cause: Cause,
) {
    if let Some(mut exchange) = response.body_mut().take_exchange() {
        exchange.refused_by(policy);
        *response = respond(cause, exchange);
    }
}

const REQUEST: &str = "http_request_error";
const DENIED: &str = "http_request_denied";
const CONFIGURATION: &str = "proxy_configuration_error";
const UNAVAILABLE: &str = "the service is unavailable";
const UNREACHABLE: &str = "the service cannot be reached";
const UNCHECKED: &str = "it cannot be checked whether the request may pass";
const LATE: &str = "the service did not answer in time";
const PROXY_STATUS: HeaderName = HeaderName::from_static("proxy-status");
