//! What stands in headers, and how bodies are encoded.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::policies::value::{HeaderOrAny, MediaType, Method, Origin, Quantity};
use crate::settings::Timeout;
use crate::value::{HeaderName, HeaderValue, Pattern};

#[derive(Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(in crate::policies) struct HeadersSpec {
    /// Headers that are taken out, first of all.
    #[schemars(extend("x-default" = "none"), length(max = 64))]
    pub(in crate::policies) remove: Vec<HeaderName>,
    /// Headers with the value that stands instead of any other.
    #[schemars(
        with = "BTreeMap<String, HeaderValue>",
        extend(
            "x-default" = "none",
            "maxProperties" = 64,
            "x-kubernetes-validations" = [{
                "rule": r#"self.all(name, name.matches("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"))"#,
                "message": "a name of a header must be a token",
            }],
        )
    )]
    pub(in crate::policies) set: BTreeMap<HeaderName, HeaderValue>,
    /// Headers with a value that stands beside those that are there.
    #[schemars(
        with = "BTreeMap<String, HeaderValue>",
        extend(
            "x-default" = "none",
            "maxProperties" = 64,
            "x-kubernetes-validations" = [{
                "rule": r#"self.all(name, name.matches("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"))"#,
                "message": "a name of a header must be a token",
            }],
        )
    )]
    pub(in crate::policies) add: BTreeMap<HeaderName, HeaderValue>,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(in crate::policies) struct SecurityHeadersSpec {
    /// Values for all of them: `default` breaks hardly any site, `strict` allows a site nothing but itself.
    #[schemars(extend("x-default" = "only what is said here"))]
    pub(in crate::policies) preset: Option<Preset>,
    /// Strict-Transport-Security, of what came by HTTPS only. Here and below, an empty text leaves the header out.
    #[schemars(extend("x-default" = "that of the preset"))]
    pub(in crate::policies) strict_transport_security: Option<HeaderValue>,
    /// X-Content-Type-Options.
    #[schemars(extend("x-default" = "that of the preset"))]
    pub(in crate::policies) content_type_options: Option<HeaderValue>,
    /// X-Frame-Options.
    #[schemars(extend("x-default" = "that of the preset"))]
    pub(in crate::policies) frame_options: Option<HeaderValue>,
    /// Referrer-Policy.
    #[schemars(extend("x-default" = "that of the preset"))]
    pub(in crate::policies) referrer_policy: Option<HeaderValue>,
    /// Content-Security-Policy.
    #[schemars(extend("x-default" = "that of the preset"))]
    pub(in crate::policies) content_security_policy: Option<HeaderValue>,
    /// Permissions-Policy.
    #[schemars(extend("x-default" = "that of the preset"))]
    pub(in crate::policies) permissions_policy: Option<HeaderValue>,
    /// Cross-Origin-Opener-Policy.
    #[schemars(extend("x-default" = "that of the preset"))]
    pub(in crate::policies) cross_origin_opener_policy: Option<HeaderValue>,
    /// Cross-Origin-Resource-Policy.
    #[schemars(extend("x-default" = "that of the preset"))]
    pub(in crate::policies) cross_origin_resource_policy: Option<HeaderValue>,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::policies) enum Preset {
    Default,
    Strict,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(in crate::policies) struct CorsSpec {
    /// The sites; `*` for all.
    #[schemars(extend("x-default" = "none"), length(max = 128))]
    pub(in crate::policies) origins: Vec<Origin>,
    /// The same by regular expressions, anchored at both ends.
    #[schemars(extend("x-default" = "none"), length(max = 32))]
    pub(in crate::policies) origin_patterns: Vec<Pattern>,
    /// Methods that may be used.
    #[schemars(
        extend("x-default" = "GET, HEAD, POST, PUT, PATCH, DELETE"),
        length(min = 1, max = 32)
    )]
    pub(in crate::policies) methods: Option<Vec<Method>>,
    /// Request headers that may be sent.
    #[schemars(extend("x-default" = "Authorization, Content-Type"), length(max = 64))]
    pub(in crate::policies) headers: Option<Vec<HeaderOrAny>>,
    /// Response headers that scripts may see.
    #[schemars(extend("x-default" = "none but the harmless ones"), length(max = 64))]
    pub(in crate::policies) exposed_headers: Vec<HeaderOrAny>,
    /// Whether cookies may be sent. Not for all sites at once.
    #[schemars(extend("x-default" = false))]
    pub(in crate::policies) credentials: bool,
    /// How long browsers may remember the answer.
    #[schemars(extend("x-default" = "5s, by browsers"))]
    pub(in crate::policies) max_age: Option<Timeout>,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(in crate::policies) struct CompressionSpec {
    /// In which encodings, the preferred one first.
    #[schemars(extend("x-default" = "br, zstd, gzip"), length(min = 1, max = 3))]
    pub(in crate::policies) encodings: Option<Vec<EncodingSpec>>,
    /// If there are some, only these media types are compressed.
    #[schemars(extend("x-default" = "texts, scripts, JSON, XML, SVG, WebAssembly; all but text/event-stream, where excludedTypes says something"), length(max = 128))]
    pub(in crate::policies) types: Vec<MediaType>,
    /// Media types that are not.
    #[schemars(extend("x-default" = "none"), length(max = 128))]
    pub(in crate::policies) excluded_types: Vec<MediaType>,
    /// Smaller bodies stay as they are.
    #[schemars(extend("x-default" = "1Ki"))]
    pub(in crate::policies) minimum_size: Option<Quantity>,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::policies) enum EncodingSpec {
    Br,
    Zstd,
    Gzip,
}
