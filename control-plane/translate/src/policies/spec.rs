//! What a Policy can say. Its schema and docs/policies.md are made of these types and comments, and what annotations say is
//! read as one of them, too.
//!
//! Beside what a comment says, a field says by `x-default` what holds without it. It does not say what becomes of a field
//! (`mean.rs`), in which order fields run, or what a broken one costs (`order.rs`).

mod access;
mod headers;
mod limits;
mod paths;
mod places;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::policies::value::Namespace;

pub(super) use crate::policies::spec::access::{
    AddressOf, AddressesSpec, AuthServiceSpec, BasicAuthSpec, ClientCertificatesSpec,
    ForwardAuthSpec,
};
pub(super) use crate::policies::spec::headers::{
    CompressionSpec, CorsSpec, EncodingSpec, HeadersSpec, Preset, SecurityHeadersSpec,
};
pub(super) use crate::policies::spec::limits::{
    BodySpec, ConcurrencyLimitSpec, RateLimitSpec, RetrySpec, TimeoutsSpec,
};
pub(super) use crate::policies::spec::paths::{RedirectSpec, RewriteSpec, SchemeSpec};
pub(super) use crate::policies::spec::places::{
    CanarySpec, SameSiteSpec, StickySpec, UpstreamTlsSpec,
};

/// What is done to requests and responses. No field is needed; whatever their order here, they run in the one that the
/// documents have.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct PolicySpec {
    /// Namespaces whose Ingresses may name this Policy, too. They come to use what it holds: its Secrets, its counters, the
    /// values of its headers.
    #[schemars(extend("x-default" = "none but its own"), length(max = 64))]
    pub(super) share_with: Option<Vec<Namespace>>,
    /// Changes headers of every response, whoever made it.
    pub(super) response_headers: Option<HeadersSpec>,
    /// Sets the headers of responses by which browsers protect their users.
    pub(super) security_headers: Option<SecurityHeadersSpec>,
    /// Compresses responses, as clients accept it.
    pub(super) compression: Option<CompressionSpec>,
    /// Who may ask, by address. Others are answered 403.
    pub(super) addresses: Option<AddressesSpec>,
    /// Sends clients elsewhere: to another scheme, host, port or path, or to what a regular expression makes of the URL.
    #[schemars(extend("x-kubernetes-validations" = [
        {
            "rule": "has(self.regex) == has(self.replacement)",
            "message": "regex and replacement belong together",
        },
        {
            "rule": "has(self.regex) != (has(self.scheme) || has(self.host) || has(self.port) || has(self.path))",
            "message": "either regex, or some of scheme, host, port and path",
        },
    ]))]
    pub(super) redirect: Option<RedirectSpec>,
    /// Asks TLS clients for a certificate (mutual TLS). Whoever has not the right one is answered 403.
    pub(super) client_certificates: Option<ClientCertificatesSpec>,
    /// How many requests may come, one after the other. More are answered 429. The limit holds on each node.
    pub(super) rate_limit: Option<RateLimitSpec>,
    /// How many requests may be in progress at once. More are answered 429. The limit holds on each node.
    pub(super) concurrency_limit: Option<ConcurrencyLimitSpec>,
    /// How large bodies of requests may be. Larger ones are answered 413.
    pub(super) request_body: Option<BodySpec>,
    /// How large bodies of responses may be. Larger ones are answered 500, or cut short.
    pub(super) response_body: Option<BodySpec>,
    /// Which other sites browsers may ask for (CORS). Preflight requests are answered here.
    #[schemars(extend("x-kubernetes-validations" = [{
        "rule": "has(self.origins) || has(self.originPatterns)",
        "message": "one of origins and originPatterns must be there",
    }]))]
    pub(super) cors: Option<CorsSpec>,
    /// Asks for a user name and password. Whoever has none is answered 401.
    pub(super) basic_auth: Option<BasicAuthSpec>,
    /// Asks a service whether a request may pass: by 2xx it does; anything else is what the client gets.
    #[schemars(extend("x-kubernetes-validations" = [{
        "rule": "has(self.url) != has(self.service)",
        "message": "exactly one of url and service must be there",
    }]))]
    pub(super) forward_auth: Option<ForwardAuthSpec>,
    /// Changes the path that the backend sees: prefixes are taken away, then one is put there; or all of it is another.
    #[schemars(extend("x-kubernetes-validations" = [
        {
            "rule": "has(self.regex) == has(self.replacement)",
            "message": "regex and replacement belong together",
        },
        {
            "rule": "(has(self.stripPrefix) || has(self.addPrefix) ? 1 : 0) + (has(self.path) ? 1 : 0) \
                + (has(self.regex) ? 1 : 0) == 1",
            "message": "exactly one of stripPrefix and addPrefix, path, and regex must be there",
        },
    ]))]
    pub(super) rewrite: Option<RewriteSpec>,
    /// Changes headers of requests, before they are forwarded.
    pub(super) request_headers: Option<HeadersSpec>,
    /// Tries failed requests again, beyond those that were never written to an endpoint.
    pub(super) retry: Option<RetrySpec>,
    /// How long things may take.
    pub(super) timeouts: Option<TimeoutsSpec>,
    /// Speaks TLS with the endpoints, of a canary, too.
    #[schemars(extend("x-kubernetes-validations" = [{
        "rule": "!(has(self.insecureSkipVerify) && self.insecureSkipVerify && has(self.caSecret))",
        "message": "insecureSkipVerify accepts any certificate, so caSecret would mean nothing",
    }]))]
    pub(super) upstream_tls: Option<UpstreamTlsSpec>,
    /// Brings a client back to the endpoint that it was with, by a cookie.
    #[schemars(extend("x-kubernetes-validations" = [{
        "rule": "!has(self.sameSite) || self.sameSite != 'None' || (has(self.secure) && self.secure)",
        "message": "browsers take no cookie with sameSite None that is not secure",
    }]))]
    pub(super) sticky: Option<StickySpec>,
    /// Sends a part of the requests to another Service, of the namespace of the Ingress.
    #[schemars(extend("x-kubernetes-validations" = [{
        "rule": "has(self.weight) || has(self.header) || has(self.cookie)",
        "message": "one of weight, header and cookie must be there",
    }]))]
    pub(super) canary: Option<CanarySpec>,
}
