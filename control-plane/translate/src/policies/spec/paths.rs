//! Where a request goes.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::policies::value::{Host, PathAndQuery, Port, RequestPath};
use crate::value::{HeaderValue, Pattern};

#[derive(Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(in crate::policies) struct RedirectSpec {
    /// Another scheme.
    #[schemars(extend("x-default" = "the same"))]
    pub(in crate::policies) scheme: Option<SchemeSpec>,
    /// Another host.
    #[schemars(extend("x-default" = "the same"))]
    pub(in crate::policies) host: Option<Host>,
    /// Another port.
    #[schemars(extend("x-default" = "that of the scheme, if the scheme or the host is another"))]
    pub(in crate::policies) port: Option<Port>,
    /// Another path and query.
    #[schemars(extend("x-default" = "the same"))]
    pub(in crate::policies) path: Option<PathAndQuery>,
    /// Looked for in the whole URL. What it does not match stays.
    #[schemars(extend("x-default" = "none"))]
    pub(in crate::policies) regex: Option<Pattern>,
    /// What stands there instead; `$1` and `${name}` are groups.
    #[schemars(extend("x-default" = "none"))]
    pub(in crate::policies) replacement: Option<HeaderValue>,
    /// Whether browsers may remember it: 301 and 308 instead of 302 and 307.
    #[schemars(extend("x-default" = false))]
    pub(in crate::policies) permanent: bool,
    /// The one status that is always answered.
    #[schemars(
        extend(
            "x-default" = "by permanent and the method",
            "enum" = [301, 302, 303, 307, 308],
            "x-value" = "301, 302, 303, 307 or 308",
        )
    )]
    pub(in crate::policies) status: Option<u16>,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::policies) enum SchemeSpec {
    Http,
    Https,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(in crate::policies) struct RewriteSpec {
    /// Prefixes of which the first that the path begins with, in whole elements, is taken away.
    #[schemars(extend("x-default" = "none"), length(min = 1, max = 32))]
    pub(in crate::policies) strip_prefix: Option<Vec<RequestPath>>,
    /// What is put in front of the path, or of what is left of it.
    #[schemars(extend("x-default" = "none"))]
    pub(in crate::policies) add_prefix: Option<RequestPath>,
    /// What stands instead of the path.
    #[schemars(extend("x-default" = "none"))]
    pub(in crate::policies) path: Option<RequestPath>,
    /// Looked for in the path.
    #[schemars(extend("x-default" = "none"))]
    pub(in crate::policies) regex: Option<Pattern>,
    /// What stands there instead; `$1` and `${name}` are groups.
    #[schemars(extend("x-default" = "none"))]
    pub(in crate::policies) replacement: Option<HeaderValue>,
}
