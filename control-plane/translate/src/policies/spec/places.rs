//! Which endpoint, of which Service, answers, and how it is spoken to.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::policies::value::{CookieAttribute, CookieName, Host, Percent, Port, RequestPath};
use crate::settings::{Text, Timeout};
use crate::value::{HeaderName, HeaderValue, Pattern};

#[derive(Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(in crate::policies) struct UpstreamTlsSpec {
    /// The Secret of the Policy's namespace with the authorities (ca.crt) that their certificates must come from.
    #[schemars(extend("x-default" = "the public ones"))]
    pub(in crate::policies) ca_secret: Option<Text>,
    /// The name that their certificates must be for.
    #[schemars(extend("x-default" = "SERVICE.NAMESPACE.svc, or what an ExternalName Service names"))]
    pub(in crate::policies) server_name: Option<Host>,
    /// The Secret of the Policy's namespace, of the type kubernetes.io/tls, with the certificate that they are shown.
    #[schemars(extend("x-default" = "none"))]
    pub(in crate::policies) certificate_secret: Option<Text>,
    /// Whether any certificate will do: whoever gets between could read and change everything.
    #[schemars(extend("x-default" = false))]
    pub(in crate::policies) insecure_skip_verify: bool,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(in crate::policies) struct StickySpec {
    /// The cookie's name.
    #[schemars(extend("x-default" = "one of its own for each backend"))]
    pub(in crate::policies) cookie: Option<CookieName>,
    /// Only over HTTPS.
    #[schemars(extend("x-default" = false))]
    pub(in crate::policies) secure: bool,
    /// Not for scripts.
    #[schemars(extend("x-default" = true))]
    pub(in crate::policies) http_only: Option<bool>,
    /// Whether browsers send it along to other sites.
    #[schemars(extend("x-default" = "Lax"))]
    pub(in crate::policies) same_site: Option<SameSiteSpec>,
    /// How long browsers keep it.
    #[schemars(extend("x-default" = "until they are closed"))]
    pub(in crate::policies) max_age: Option<Timeout>,
    /// Below which path it is sent.
    #[schemars(extend("x-default" = "/"))]
    pub(in crate::policies) path: Option<RequestPath>,
    /// To which domain it is sent.
    #[schemars(extend("x-default" = "the host that has set it"))]
    pub(in crate::policies) domain: Option<CookieAttribute>,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
pub(in crate::policies) enum SameSiteSpec {
    None,
    Lax,
    Strict,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::policies) struct CanarySpec {
    /// The Service that gets a part of the requests.
    pub(in crate::policies) service: CanaryServiceSpec,
    /// How many of a hundred requests go there that neither header nor cookie finds.
    #[schemars(extend("x-default" = 0))]
    pub(in crate::policies) weight: Option<Percent>,
    /// Requests with this header go there.
    #[schemars(extend("x-kubernetes-validations" = [{
        "rule": "has(self.value) != has(self.pattern)",
        "message": "exactly one of value and pattern must be there",
    }]))]
    pub(in crate::policies) header: Option<CanaryHeaderSpec>,
    /// Requests with this cookie go there.
    pub(in crate::policies) cookie: Option<CanaryCookieSpec>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::policies) struct CanaryServiceSpec {
    /// What it is called.
    pub(in crate::policies) name: Text,
    /// Its port, by number.
    pub(in crate::policies) port: Port,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::policies) struct CanaryHeaderSpec {
    /// Its name.
    pub(in crate::policies) name: HeaderName,
    /// The value that it must have.
    #[schemars(extend("x-default" = "none"))]
    pub(in crate::policies) value: Option<HeaderValue>,
    /// What its value must match as a whole.
    #[schemars(extend("x-default" = "none"))]
    pub(in crate::policies) pattern: Option<Pattern>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::policies) struct CanaryCookieSpec {
    /// Its name.
    pub(in crate::policies) name: CookieName,
    /// The value that it must have.
    pub(in crate::policies) value: CookieAttribute,
}
