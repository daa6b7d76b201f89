//! What is known of a request while it is answered, and what is counted and logged of it when its response has ended.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::header::USER_AGENT;
use http::{HeaderValue, Method, Request, StatusCode, Version};
use sluice_proto::{BackendName, Settings};
use sluice_routing::ClientAddress;
use tokio::time::Instant;

use crate::access_log::{self, Line};
use crate::cores::{ClientConnection, RequestInFlight, Scheme};
use crate::metrics::RouteCounters;
use crate::policy::Permit;
use crate::proxy::body::ReceivedBody;
use crate::proxy::forwarded;
use crate::proxy::request_id::{self, REQUEST_ID};
use crate::proxy::respond::Cause;
use crate::proxy::target::Target;
use crate::serving::{Endpoint, ServedRoute};

/// A request and its response. Dropping it ends it: then it is counted and logged.
pub(crate) struct Exchange {
    in_flight: RequestInFlight,
    started: Instant,
    // When its response must have ended, if its route says so.
    due: Option<Instant>,
    request_id: HeaderValue,
    status: Option<StatusCode>,
    counters: Option<Arc<RouteCounters>>,
    received: Option<Rc<ReceivedBody>>,
    sent: u64,
    cause: Option<Cause>,
    // The places that concurrency limits gave it.
    permits: Vec<Permit>,
    // The response ended before it was whole.
    cut_short: bool,
    log: Option<Box<Log>>,
}

// What only the access log wants to know.
struct Log {
    client: ClientAddress,
    method: Method,
    scheme: Scheme,
    version: Version,
    host: String,
    path: String,
    user_agent: Option<HeaderValue>,
    route: Option<Arc<ServedRoute>>,
    policy: Option<Arc<str>>,
    user: Option<String>,
    backend: Option<BackendName>,
    endpoint: Option<Arc<Endpoint>>,
    tries: u32,
    upstream_headers: Option<Instant>,
}

impl Exchange {
    pub(super) fn begin(in_flight: RequestInFlight) -> Box<Self> {
        Box::new(Self {
            in_flight,
            started: Instant::now(),
            due: None,
            request_id: HeaderValue::from_static("none"),
            status: None,
            counters: None,
            received: None,
            sent: 0,
            cause: None,
            permits: Vec::new(),
            cut_short: false,
            log: None,
        })
    }

    /// Notes who asks, and gives the request its id.
    pub(super) fn identify<B>(
        &mut self,
        settings: &Settings,
        client: &ClientAddress,
        request: &Request<B>,
    ) {
        let brought = || {
            let id = request.headers().get(REQUEST_ID)?;
            request_id::is_usable(id).then(|| id.clone())
        };
        let brought = client.peer_is_trusted.then(brought).flatten();
        self.request_id = brought.unwrap_or_else(request_id::make);
        if settings.access_log.enabled {
            self.log = Some(Box::new(Log {
                client: client.clone(),
                method: request.method().clone(),
                scheme: forwarded::scheme(self.in_flight.connection(), client, request),
                version: request.version(),
                host: String::new(),
                path: request.uri().path().to_owned(),
                user_agent: request.headers().get(USER_AGENT).cloned(),
                route: None,
                policy: None,
                user: None,
                backend: None,
                endpoint: None,
                tries: 0,
                upstream_headers: None,
            }));
        }
    }

    pub(super) const fn connection(&self) -> &Rc<ClientConnection> {
        self.in_flight.connection()
    }

    pub(super) const fn request_id(&self) -> &HeaderValue {
        &self.request_id
    }

    pub(super) fn aim(&mut self, target: &Target) {
        if let Some(log) = &mut self.log {
            target.host().clone_into(&mut log.host);
        }
    }

    pub(super) fn take_route(&mut self, route: &Arc<ServedRoute>) {
        if let Some(log) = &mut self.log {
            log.route = Some(Arc::clone(route));
        }
    }

    /// Keeps a place until the response has ended.
    pub(crate) fn hold(&mut self, permit: Permit) {
        self.permits.push(permit);
    }

    /// Notes which policy has something against the request.
    pub(crate) fn refused_by(&mut self, policy: &Arc<str>) {
        if let Some(log) = &mut self.log {
            log.policy = Some(Arc::clone(policy));
        }
    }

    /// Notes who the user is, as credentials have shown.
    pub(crate) fn name_user(&mut self, user: String) {
        if let Some(log) = &mut self.log {
            log.user = Some(user);
        }
    }

    /// Has its response end within this time.
    pub(super) fn end_within(&mut self, limit: Option<Duration>) {
        self.due = limit.map(|limit| self.started + limit);
    }

    /// Returns when its response must have ended.
    pub(super) const fn due(&self) -> Option<Instant> {
        self.due
    }

    pub(super) fn take_backend(&mut self, backend: &BackendName) {
        if let Some(log) = &mut self.log {
            log.backend = Some(backend.clone());
        }
    }

    pub(super) fn take_body(&mut self, received: Option<&Rc<ReceivedBody>>) {
        self.received = received.map(Rc::clone);
    }

    /// Notes that this endpoint is tried now.
    pub(super) fn try_endpoint(&mut self, endpoint: &Arc<Endpoint>) {
        if let Some(log) = &mut self.log {
            log.endpoint = Some(Arc::clone(endpoint));
            log.tries += 1;
        }
    }

    /// Has the request counted here.
    pub(super) fn count_with(&mut self, counters: &Arc<RouteCounters>) {
        self.counters = Some(Arc::clone(counters));
    }

    /// Notes that the endpoint's header section has come.
    pub(super) fn upstream_answered(&mut self) {
        if let Some(log) = &mut self.log {
            log.upstream_headers = Some(Instant::now());
        }
    }

    pub(super) fn fail(&mut self, cause: Cause) {
        self.cause = Some(cause);
    }

    pub(super) fn answered(&mut self, status: StatusCode) {
        self.status = Some(status);
    }

    pub(super) fn sent(&mut self, bytes: usize) {
        self.sent += bytes as u64;
    }

    pub(super) fn cut_short(&mut self) {
        self.cut_short = true;
    }

    fn error(&self) -> Option<&'static str> {
        match &self.cause {
            Some(cause) => Some(cause.name()),
            None if self.status.is_none() => Some("client_closed"),
            None if self.cut_short => Some("response_incomplete"),
            None => None,
        }
    }

    fn write(&self, log: &Log, status: StatusCode) {
        let since_start = |at: Instant| at.duration_since(self.started).as_secs_f64() * 1_000.0;
        let route = log.route.as_ref().map(|route| &*route.route);
        self.in_flight.core().lines.push(&Line {
            time: access_log::now(),
            request_id: self.request_id.to_str().unwrap_or_default(),
            client: log.client.address.to_string(),
            peer: self.in_flight.connection().peer.to_string(),
            method: log.method.as_str(),
            scheme: log.scheme.as_str(),
            host: &log.host,
            path: &log.path,
            protocol: protocol(log.version),
            status: status.as_u16(),
            bytes_received: self
                .received
                .as_ref()
                .map_or(0, |received| received.bytes()),
            bytes_sent: self.sent,
            duration_ms: since_start(Instant::now()),
            namespace: route.map(|route| route.ingress.namespace.as_str()),
            ingress: route.map(|route| route.ingress.name.as_str()),
            route: route.map(|route| &*route.name),
            policy: log.policy.as_deref(),
            user: log.user.as_deref(),
            backend: log.backend.as_ref().map(|backend| &**backend.as_arc()),
            endpoint: log
                .endpoint
                .as_ref()
                .map(|endpoint| endpoint.address.to_string()),
            tries: log.tries,
            upstream_headers_ms: log.upstream_headers.map(since_start),
            error: self.error(),
            problem: self
                .cause
                .as_ref()
                .and_then(Cause::problem)
                .map(|code| &**code),
            user_agent: log
                .user_agent
                .as_ref()
                .and_then(|value| value.to_str().ok()),
        });
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let core = self.in_flight.core();
        let counters = self.counters.as_ref().unwrap_or(&core.shared.no_route);
        // nginx's number for a client that went away before there was an answer.
        let gone = StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST);
        let status = self.status.unwrap_or(gone);
        counters.observe(core.index, status, self.started.elapsed());
        if let Some(log) = &self.log {
            self.write(log, status);
        }
    }
}

const fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_11 => "HTTP/1.1",
        Version::HTTP_2 => "HTTP/2",
        _ => "other",
    }
}
