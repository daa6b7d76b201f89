//! The way of a request through the policies of its route, in their order, and of its response back in the opposite one.
//!
//! A response goes back through the policies that its request has passed, whoever made it: the backend, Sluice, or a later
//! policy.

use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use http::header::ORIGIN;
use http::{HeaderValue, Method, Request, Response, Uri};
use sluice_routing::ClientAddress;

use crate::cores::{ClientConnection, Core, Scheme};
use crate::policy::Action;
use crate::policy::compression::Accepted;
use crate::policy::forward_auth::Cookies;
use crate::proxy::{Cause, Exchange, RequestBody, ResponseBody, answer_instead};
use crate::serving::ServedRoute;

/// Who asks for what, as far as policies want to know.
pub(crate) struct Asked<'a> {
    pub(crate) core: &'a Rc<Core>,
    pub(crate) connection: &'a ClientConnection,
    pub(crate) peer: IpAddr,
    pub(crate) client: &'a ClientAddress,
    pub(crate) scheme: Scheme,
    /// In lower case and without port.
    pub(crate) host: &'a str,
    /// As the client wrote it.
    pub(crate) authority: &'a str,
    /// As the client wrote it, whatever policies make of it.
    pub(crate) uri: Uri,
}

/// How far a request has come.
#[derive(Default)]
pub(crate) struct Passage {
    passed: Option<Passed>,
}

/// What responses want to know of their requests.
pub(super) struct Passed {
    route: Arc<ServedRoute>,
    count: usize,
    scheme: Scheme,
    origin: Option<HeaderValue>,
    // Those of each policy that has some, by its place.
    cookies: Vec<(usize, Cookies)>,
    /// Whether the response has no body whatever its headers say.
    pub(super) is_head: bool,
    /// As the client said it, whatever policies have made of the header.
    pub(super) accepted: Accepted,
}

impl Passage {
    /// Takes a request through the policies of its route; as the error, what one of them has against it.
    pub(crate) async fn enter(
        &mut self,
        route: &Arc<ServedRoute>,
        asked: &Asked<'_>,
        exchange: &mut Exchange,
        request: &mut Request<RequestBody>,
    ) -> Result<(), Cause> {
        if route.policies.is_empty() {
            return Ok(());
        }
        let passed = self.passed.insert(Passed {
            route: Arc::clone(route),
            count: 0,
            scheme: asked.scheme,
            origin: request.headers().get(ORIGIN).cloned(),
            cookies: Vec::new(),
            is_head: *request.method() == Method::HEAD,
            accepted: Accepted::of(request.headers()),
        });
        for policy in &route.policies {
            let admitted = policy.action.admit(asked, passed, exchange, request).await;
            if admitted.is_err() {
                exchange.refused_by(&policy.name);
            }
            admitted?;
            passed.count += 1;
        }
        Ok(())
    }

    /// Takes its response back.
    pub(crate) async fn leave(self, response: &mut Response<ResponseBody>) {
        let Some(passed) = self.passed else {
            return;
        };
        let policies = passed.route.policies[..passed.count].iter();
        for (place, policy) in policies.enumerate().rev() {
            if let Err(cause) = policy.action.release(&passed, place, response).await {
                answer_instead(response, &policy.name, cause);
            }
        }
    }
}

impl Action {
    async fn admit(
        &self,
        asked: &Asked<'_>,
        passed: &mut Passed,
        exchange: &mut Exchange,
        request: &mut Request<RequestBody>,
    ) -> Result<(), Cause> {
        match self {
            Self::AddressFilter(filter) => filter.admit(asked),
            Self::BasicAuth(auth) => auth.admit(asked, exchange, request.headers_mut()).await,
            Self::ClientCertificate(certificate) => certificate.admit(asked, request.headers_mut()),
            Self::BodyLimit(limit) => limit.admit(request.body()),
            Self::Compression(_) => Ok(()),
            Self::ConcurrencyLimit(limit) => {
                let permit = limit.admit(asked, request.headers())?;
                exchange.hold(permit);
                Ok(())
            }
            Self::Cors(cors) => cors.admit(request),
            Self::ForwardAuth(auth) => {
                // Large, and few routes have one: the others need no room for it.
                let cookies = Box::pin(auth.admit(asked, exchange, request)).await?;
                passed.cookies.push((passed.count, cookies));
                Ok(())
            }
            Self::HeaderRules(rules) => rules.admit(asked, request.headers_mut()),
            Self::RateLimit(limit) => limit.admit(asked, request.headers()).await,
            Self::Redirect(redirect) => redirect.admit(asked, request),
            Self::Retry(retry) => {
                retry.admit(request);
                Ok(())
            }
            Self::Rewrite(rewrite) => rewrite.admit(request),
            // The route has them.
            Self::Timeouts(_) => Ok(()),
        }
    }

    async fn release(
        &self,
        passed: &Passed,
        place: usize,
        response: &mut Response<ResponseBody>,
    ) -> Result<(), Cause> {
        match self {
            Self::BodyLimit(limit) => limit.release(passed, response.body_mut())?,
            Self::Compression(compression) => compression.release(passed, response).await,
            Self::Cors(cors) => cors.release(passed.origin.as_ref(), response.headers_mut()),
            Self::ForwardAuth(auth) => {
                let own = passed.cookies.iter().filter(|(of, _)| *of == place);
                own.for_each(|(_, cookies)| auth.release(cookies, response.headers_mut()));
            }
            Self::HeaderRules(rules) => rules.release(passed.scheme, response.headers_mut()),
            _ => {}
        }
        Ok(())
    }
}
