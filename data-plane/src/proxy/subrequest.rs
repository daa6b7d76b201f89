//! Asks a service that a user named, while a request waits for the answer, and reads the answer whole.
//!
//! The way there is that of all endpoints: pooled connections, as many as there are places, and no door into the node. What
//! the answer means, it does not know.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Request, Response, StatusCode, Uri};
use http_body::Body;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use sluice_proto::{BackendProtocol, UpstreamTls};
use tokio::time::timeout;

use crate::cores::Core;
use crate::proxy::body::{self, RequestBody};
use crate::proxy::respond::Cause;
use crate::proxy::upstream::{Lease, ServerTls, UnusableTls};
use crate::serving::{Endpoint, EndpointAddress};

/// A service that is asked.
pub(crate) struct Service {
    endpoint: Arc<Endpoint>,
    /// Where it is, as a URL.
    pub(crate) scheme: Scheme,
    pub(crate) authority: Authority,
    pub(crate) path: PathAndQuery,
}

/// How much patience there is with an answer.
pub(crate) struct Patience {
    /// For all of it.
    pub(crate) time: Duration,
    /// For its body.
    pub(crate) bytes: usize,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Unanswered {
    /// So many wait for one already that this one would hold up others.
    Busy,
    /// It did not come in time.
    Late,
    /// The service cannot be reached.
    Unreachable(Cause),
    /// Something came that is no answer, or a part of one.
    Broken,
    /// It is longer than it may be.
    TooLarge,
}

/// Why a service cannot be asked: whoever named it is at fault.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InvalidService {
    #[error("{0:?} is not an http or https URL, which has a host and no user name")]
    Url(String),
    #[error("the service cannot be spoken to by TLS")]
    Tls(#[from] UnusableTls),
}

impl Service {
    /// Returns the service at this URL.
    pub(crate) fn new(url: &str, tls: &UpstreamTls) -> Result<Self, InvalidService> {
        let invalid = || InvalidService::Url(url.to_owned());
        let parts = url.parse::<Uri>().map_err(|_| invalid())?.into_parts();
        let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else {
            return Err(invalid());
        };
        let host = authority.host();
        let host = host.strip_prefix('[').unwrap_or(host);
        let host = host.strip_suffix(']').unwrap_or(host);
        if host.is_empty() || authority.as_str().contains('@') {
            return Err(invalid());
        }
        let (usual_port, tls) = match scheme.as_str() {
            "http" => (80, None),
            "https" => (
                443,
                Some(ServerTls::new(tls, host, BackendProtocol::Http1)?),
            ),
            _ => return Err(invalid()),
        };
        let address = EndpointAddress::Name {
            name: host.into(),
            port: authority.port_u16().unwrap_or(usual_port),
        };
        Ok(Self {
            endpoint: Arc::new(Endpoint::new(address).spoken_to(tls)),
            scheme,
            authority,
            path: parts
                .path_and_query
                .unwrap_or(PathAndQuery::from_static("/")),
        })
    }

    /// Asks it, and returns its answer. The request's URI is a path.
    pub(crate) async fn ask(
        &self,
        core: &Rc<Core>,
        request: Request<RequestBody>,
        patience: &Patience,
    ) -> Result<Response<Bytes>, Unanswered> {
        // A service that hangs must leave places to others.
        let most = MOST_WAITING
            .min(core.shared.most_connections / SHARE)
            .max(1);
        if self.endpoint.outstanding() as usize >= most {
            return Err(Unanswered::Busy);
        }
        let answered = timeout(patience.time, self.answer(core, request, patience)).await;
        answered.unwrap_or(Err(Unanswered::Late))
    }

    async fn answer(
        &self,
        core: &Rc<Core>,
        mut request: Request<RequestBody>,
        patience: &Patience,
    ) -> Result<Response<Bytes>, Unanswered> {
        // One that closes just then leaves open whether the request was processed.
        let mut fresh = !request.method().is_idempotent();
        loop {
            let outstanding = Arc::clone(&self.endpoint).begin();
            let connecting =
                core.pool
                    .connect(&self.endpoint, BackendProtocol::Http1, patience.time, fresh);
            let mut connected = connecting.await.map_err(Unanswered::Unreachable)?;
            let again = body::again(&request).filter(|_| connected.is_reused());
            match (connected.send(request).await, again) {
                (Ok(response), _) => {
                    let lease = Lease::new(outstanding, &core.pool, connected);
                    return read(response, lease, patience.bytes).await;
                }
                (Err(_), Some(again)) => {
                    request = again;
                    fresh = true;
                }
                (Err(_), None) => return Err(Unanswered::Broken),
            }
        }
    }
}

async fn read(
    response: Response<Incoming>,
    lease: Lease,
    most: usize,
) -> Result<Response<Bytes>, Unanswered> {
    let (parts, body) = response.into_parts();
    if parts.status == StatusCode::SWITCHING_PROTOCOLS {
        return Err(Unanswered::Broken);
    }
    if body.size_hint().lower() > most as u64 {
        return Err(Unanswered::TooLarge);
    }
    let body = match Limited::new(body, most).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => return Err(Unanswered::TooLarge),
        Err(_) => return Err(Unanswered::Broken),
    };
    lease.give_back();
    Ok(Response::from_parts(parts, body))
}

// At 10 ms each that is 100,000 answers a second.
const MOST_WAITING: usize = 1_024;
// Of the places of all connections, one service takes no more than one in so many.
const SHARE: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    fn place(url: &str) -> Option<String> {
        let service = Service::new(url, &UpstreamTls::default()).ok()?;
        Some(format!("{} {}", service.endpoint.address, service.path))
    }

    #[test]
    fn a_service_is_at_an_http_or_https_url() {
        for (url, expected) in [
            ("http://auth.shop.svc", Some("auth.shop.svc:80 /")),
            ("https://auth/verify?a=b", Some("auth:443 /verify?a=b")),
            ("http://10.0.0.1:8080/", Some("10.0.0.1:8080 /")),
            ("http://[2001:db8::1]:8080/", Some("2001:db8::1:8080 /")),
            ("ftp://auth/", None),
            ("auth/verify", None),
            ("/verify", None),
            ("http://", None),
            ("http://user:secret@auth/", None),
            ("", None),
        ] {
            assert_eq!(place(url).as_deref(), expected, "{url}");
        }
    }
}
