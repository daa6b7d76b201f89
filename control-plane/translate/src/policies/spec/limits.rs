//! How many, how large, how often again, how long.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::policies::value::{By, KeptQuantity, Quantity, Statuses};
use crate::settings::{Number, Timeout};

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::policies) struct RateLimitSpec {
    /// So many requests each period.
    pub(in crate::policies) requests: Number<1_000_000_000>,
    /// The period.
    #[schemars(extend("x-default" = "1s"))]
    pub(in crate::policies) period: Option<Timeout>,
    /// So many at once.
    #[schemars(extend("x-default" = "as many as requests"))]
    pub(in crate::policies) burst: Option<Number<1_000_000_000>>,
    /// Whose requests are counted together: a client's, a peer's, those of a host, those with the same value of a header.
    #[schemars(extend("x-default" = "client"))]
    pub(in crate::policies) by: Option<By>,
    /// How many bits of an IPv6 address count: whoever has a network has all addresses of it.
    #[schemars(extend("x-default" = 64))]
    pub(in crate::policies) ipv6_prefix: Option<Number<128>>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::policies) struct ConcurrencyLimitSpec {
    /// So many requests at once.
    pub(in crate::policies) requests: Number<1_000_000_000>,
    /// Whose requests are counted together: a client's, a peer's, those of a host, those with the same value of a header.
    #[schemars(extend("x-default" = "client"))]
    pub(in crate::policies) by: Option<By>,
    /// How many bits of an IPv6 address count: whoever has a network has all addresses of it.
    #[schemars(extend("x-default" = 64))]
    pub(in crate::policies) ipv6_prefix: Option<Number<128>>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::policies) struct BodySpec {
    /// So large at most.
    pub(in crate::policies) limit: Quantity,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::policies) struct RetrySpec {
    /// How many tries there are, the first one included.
    pub(in crate::policies) attempts: Number<16>,
    /// How long to wait before the second one; twice as long for each one more.
    #[schemars(extend("x-default" = "not at all"))]
    pub(in crate::policies) interval: Option<Timeout>,
    /// For all tries together.
    #[schemars(extend("x-default" = "no limit"))]
    pub(in crate::policies) timeout: Option<Timeout>,
    /// Statuses of an endpoint's answer that are tried again, too.
    #[serde(default)]
    #[schemars(extend("x-default" = "none"), length(max = 16))]
    pub(in crate::policies) statuses: Vec<Statuses>,
    /// Whether methods that are not idempotent (POST) are tried again, too: an endpoint may have done twice what was asked
    /// once.
    #[serde(default)]
    #[schemars(extend("x-default" = false))]
    pub(in crate::policies) non_idempotent: bool,
    /// Requests with larger bodies are not tried again.
    #[schemars(extend("x-default" = "2Mi"))]
    pub(in crate::policies) request_body: Option<KeptQuantity>,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(in crate::policies) struct TimeoutsSpec {
    /// From the request's header section to the end of the response.
    #[schemars(extend("x-default" = "no limit"))]
    pub(in crate::policies) request: Option<Timeout>,
    /// To open a connection to an endpoint, each try.
    #[schemars(extend("x-default" = "that of the settings"))]
    pub(in crate::policies) connect: Option<Timeout>,
    /// From the request sent to the header section of the endpoint's response.
    #[schemars(extend("x-default" = "that of the settings"))]
    pub(in crate::policies) response_headers: Option<Timeout>,
    /// Between two pieces of a request's body.
    #[schemars(extend("x-default" = "that of the settings"))]
    pub(in crate::policies) request_body_idle: Option<Timeout>,
    /// Between two pieces of a response's body.
    #[schemars(extend("x-default" = "that of the settings"))]
    pub(in crate::policies) response_body_idle: Option<Timeout>,
}
