//! What settings can say: the content of the settings file, and the spec of the objects of kind Settings. Their schema
//! and docs/settings.md are made of these types and comments.
//!
//! Beside what a comment says, a field says by `x-default` what holds without it; by `x-edge` that it holds for the whole
//! edge or not at all; by `x-broken` what holds instead of a value that cannot be used, where the default would open
//! something that its author may have closed; and by `x-taints` that what it is in is broken with it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::settings::listeners::Listeners;
use crate::settings::value::{
    Controllers, Date, Header, Number, PublishedAddress, Range, SetName, Text, Timeout,
};

/// Settings of the whole edge, or of the classes that name them. No field is needed.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct SettingsSpec {
    /// Where data planes accept: at least one listener.
    #[schemars(extend("x-default" = "http: 80, https: 443", "x-edge" = true))]
    pub(super) listeners: Option<Listeners>,
    /// What is served of what Ingresses ask for.
    #[schemars(extend("x-edge" = true))]
    pub(super) ingress: Option<IngressSpec>,
    /// The Secret with the certificate of hosts that have none of their own. Of a host that several classes name, the
    /// class of the oldest Ingress with a rule for it counts.
    #[schemars(extend("x-default" = "a certificate that the control plane makes"))]
    pub(super) default_certificate: Option<SecretSpec>,
    /// What TLS clients get whose host has no certificate: the default one, or a refused handshake.
    #[schemars(extend("x-default" = "DefaultCertificate"))]
    pub(super) missing_certificate: Option<MissingCertificateSpec>,
    /// Which TLS is spoken with clients.
    pub(super) tls: Option<TlsSpec>,
    /// Whose word counts on who the client is. Ranges, sets and the header belong together: whoever says one of the
    /// first two says all three.
    pub(super) trusted_proxies: Option<TrustedProxiesSpec>,
    /// Named sets of ranges, for `trustedProxies.sets`: others, or others of the same name than those that are built in.
    #[schemars(
        with = "Option<BTreeMap<String, ProxySetSpec>>",
        extend(
            "maxProperties" = 64,
            "x-default" = "cloudflare, as of 2023-09-28",
            "x-edge" = true,
            "x-kubernetes-validations" = [{
                "rule": "self.all(name, name.matches('^[a-z0-9-]{1,63}$'))",
                "message": "the name of a set must be 1 to 63 lower-case letters, digits and hyphens",
            }],
        )
    )]
    pub(super) proxy_sets: Option<BTreeMap<SetName, ProxySetSpec>>,
    /// Policies of every route, in their order, before those of its Ingress. Those that a class names stand instead of the
    /// edge's.
    #[schemars(
        extend("x-default" = "none", "x-broken" = [{"namespace": "-", "name": "-"}]),
        length(max = 32),
    )]
    pub(super) policies: Option<Vec<PolicySpec>>,
    /// How long things may take.
    pub(super) timeouts: Option<TimeoutsSpec>,
    /// How much a stranger may send.
    #[schemars(extend("x-edge" = true))]
    pub(super) limits: Option<LimitsSpec>,
    /// What is logged of each request.
    pub(super) access_log: Option<AccessLogSpec>,
    /// Who may read the metrics of data planes over the network.
    #[schemars(extend("x-edge" = true))]
    pub(super) metrics: Option<MetricsSpec>,
    /// What stands in the status of Ingresses.
    #[schemars(extend("x-edge" = true))]
    pub(super) status: Option<StatusSpec>,
}

#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct IngressSpec {
    /// Whose Ingresses are served: those of the IngressClasses that name one of these controllers.
    #[schemars(extend("x-default" = ["ingress.sluice.dev/controller"]))]
    pub(super) controllers: Option<Controllers>,
    /// Whether Services of type ExternalName may answer. Loopback, link-local and metadata addresses never do.
    #[schemars(extend("x-default" = false, "x-broken" = false))]
    pub(super) allow_external_name: Option<bool>,
    /// Whether Ingresses of several namespaces may share a host. If not, it belongs to the namespace of the oldest
    /// Ingress that has a rule for it.
    #[schemars(extend("x-default" = true, "x-broken" = false))]
    pub(super) hosts_across_namespaces: Option<bool>,
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct SecretSpec {
    /// Where the Secret is.
    pub(super) namespace: Text,
    /// What it is called.
    pub(super) secret_name: Text,
}

/// A Policy that is passed over might be one that protects: instead of a list with a broken item, one holds whose Policy no
/// cluster can have.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("x-taints" = true))]
pub(super) struct PolicySpec {
    /// Where the Policy is.
    pub(super) namespace: Text,
    /// What it is called.
    pub(super) name: Text,
}

#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct TlsSpec {
    /// The lowest version that is spoken. Plain HTTP goes on being served.
    #[schemars(extend("x-default" = "TLS1.2", "x-broken" = "TLS1.3"))]
    pub(super) minimum_version: Option<TlsVersionSpec>,
}

#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct TrustedProxiesSpec {
    /// Ranges whose peers may say who the client is, and how it came.
    #[schemars(extend("x-default" = "nobody", "x-broken" = []), length(max = 1024))]
    pub(super) ranges: Option<Vec<Range>>,
    /// Named sets of such ranges, such as `cloudflare`.
    #[schemars(extend("x-default" = "none", "x-broken" = []), length(max = 64))]
    pub(super) sets: Option<Vec<SetName>>,
    /// The header that they name the client in: X-Forwarded-For, of which the rightmost address that is not trusted
    /// counts, or a header with one address, such as CF-Connecting-IP.
    #[schemars(extend("x-default" = "X-Forwarded-For", "x-taints" = true))]
    pub(super) client_address_header: Option<Header>,
}

#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(extend("x-broken" = {}))]
pub(super) struct ProxySetSpec {
    /// The day on which these were the ranges; for people.
    #[schemars(extend("x-default" = "nobody says"))]
    pub(super) date: Option<Date>,
    /// The ranges.
    #[schemars(extend("x-default" = "none"), length(max = 1024))]
    pub(super) ranges: Option<Vec<Range>>,
}

#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct TimeoutsSpec {
    /// To open a connection to an endpoint, each try.
    #[schemars(extend("x-default" = "2s"))]
    pub(super) connect: Option<Timeout>,
    /// For a client to send its TLS hello, and then the header section of a request.
    #[schemars(extend("x-default" = "15s", "x-edge" = true))]
    pub(super) request_headers: Option<Timeout>,
    /// For a connection of a client without a request.
    #[schemars(extend("x-default" = "180s", "x-edge" = true))]
    pub(super) client_idle: Option<Timeout>,
    /// Between two pieces of a request's body.
    #[schemars(extend("x-default" = "60s"))]
    pub(super) request_body_idle: Option<Timeout>,
    /// From the request sent to the header section of the endpoint's response.
    #[schemars(extend("x-default" = "60s"))]
    pub(super) response_headers: Option<Timeout>,
    /// Between two pieces of a response's body.
    #[schemars(extend("x-default" = "300s"))]
    pub(super) response_body_idle: Option<Timeout>,
    /// For a pooled connection to an endpoint without a request.
    #[schemars(extend("x-default" = "30s", "x-edge" = true))]
    pub(super) endpoint_idle: Option<Timeout>,
    /// For an upgraded connection (WebSocket) on which neither side sends.
    #[schemars(extend("x-default" = "1h"))]
    pub(super) upgrade_idle: Option<Timeout>,
    /// For what is in flight when a data plane is told to stop.
    #[schemars(extend("x-default" = "25s", "x-edge" = true))]
    pub(super) drain: Option<Timeout>,
    /// Without the control plane, until endpoints are reached through their Service.
    #[schemars(extend("x-default" = "30s", "x-edge" = true))]
    pub(super) endpoints_stale: Option<Timeout>,
}

#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct LimitsSpec {
    /// Bytes of a request's header section. More is answered 431.
    #[schemars(extend("x-default" = 65_536))]
    pub(super) header_bytes: Option<Number<{ 16 << 20 }>>,
    /// Header fields of a request. More is answered 431.
    #[schemars(extend("x-default" = 128))]
    pub(super) header_count: Option<Number<16_384>>,
    /// Connections of clients to one data plane. More are closed at once.
    #[schemars(extend("x-default" = 24_576))]
    pub(super) connections: Option<Number<{ u32::MAX }>>,
    /// Requests at once on one HTTP/2 connection.
    #[schemars(extend("x-default" = 128))]
    pub(super) concurrent_streams: Option<Number<{ u32::MAX }>>,
}

#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct AccessLogSpec {
    /// Whether one JSON line is written for each request.
    #[schemars(extend("x-default" = false))]
    pub(super) enabled: Option<bool>,
}

#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct MetricsSpec {
    /// Ranges whose peers may, beside the addresses of Nodes and the ranges of their pods.
    #[schemars(extend("x-default" = "none", "x-broken" = []), length(max = 1024))]
    pub(super) allowed_ranges: Option<Vec<Range>>,
}

#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct StatusSpec {
    /// Whether it is written at all.
    #[schemars(extend("x-default" = true))]
    pub(super) publish: Option<bool>,
    /// What stands there instead of the addresses of the nodes that serve.
    #[schemars(extend("x-default" = "the nodes that serve"), length(max = 64))]
    pub(super) addresses: Option<Vec<PublishedAddress>>,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
pub(super) enum MissingCertificateSpec {
    DefaultCertificate,
    RefuseHandshake,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
pub(super) enum TlsVersionSpec {
    #[serde(rename = "TLS1.2")]
    Tls12,
    #[serde(rename = "TLS1.3")]
    Tls13,
}
