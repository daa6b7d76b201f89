//! Who may ask.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::policies::value::{
    Addresses, CookieName, Host, HttpUrl, KeptQuantity, Location, Port, RequestPath,
};
use crate::settings::{Text, Timeout};
use crate::value::{HeaderName, HeaderValue};

#[derive(Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(in crate::policies) struct AddressesSpec {
    /// If there are some, whoever is in none of them may not ask.
    #[schemars(extend("x-default" = "all"), length(max = 1024))]
    pub(in crate::policies) allow: Option<Vec<Addresses>>,
    /// Whoever is in one of them may not ask, allowed or not.
    #[schemars(extend("x-default" = "none"), length(max = 1024))]
    pub(in crate::policies) deny: Option<Vec<Addresses>>,
    /// Which address counts: the client, as the settings trust proxies to name it, or the peer that has connected.
    #[schemars(extend("x-default" = "client"))]
    pub(in crate::policies) by: Option<AddressOf>,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::policies) enum AddressOf {
    Client,
    Peer,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::policies) struct BasicAuthSpec {
    /// The Secret of the Policy's namespace with lines of htpasswd (bcrypt, apr1, SHA) under one key, or of the type
    /// kubernetes.io/basic-auth.
    pub(in crate::policies) secret: Text,
    /// Shown by browsers.
    #[schemars(extend("x-default" = "Restricted"))]
    pub(in crate::policies) realm: Option<HeaderValue>,
    /// The header in which the backend reads the user's name.
    #[schemars(extend("x-default" = "none"))]
    pub(in crate::policies) user_header: Option<HeaderName>,
    /// Whether the backend gets no password.
    #[schemars(extend("x-default" = true))]
    pub(in crate::policies) remove_authorization: Option<bool>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::policies) struct ClientCertificatesSpec {
    /// The Secret of the Policy's namespace with the authorities (ca.crt) that a client's certificate must come from.
    pub(in crate::policies) ca_secret: Text,
    /// Whether requests without one pass, too. One that is shown must be right in any case.
    #[serde(default)]
    #[schemars(extend("x-default" = false))]
    pub(in crate::policies) optional: bool,
    /// Whether the backend reads it in X-Forwarded-Tls-Client-Cert.
    #[serde(default)]
    #[schemars(extend("x-default" = false))]
    pub(in crate::policies) forward: bool,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(in crate::policies) struct ForwardAuthSpec {
    /// Where the service is.
    #[schemars(extend("x-default" = "none"))]
    pub(in crate::policies) url: Option<HttpUrl>,
    /// The same by the name of a Service.
    pub(in crate::policies) service: Option<AuthServiceSpec>,
    /// Request headers that it gets.
    #[schemars(extend("x-default" = "all"), length(max = 64))]
    pub(in crate::policies) request_headers: Vec<HeaderName>,
    /// Headers of its answer that the backend gets.
    #[schemars(extend("x-default" = "none"), length(max = 64))]
    pub(in crate::policies) response_headers: Vec<HeaderName>,
    /// Cookies of its answer that the client gets.
    #[schemars(extend("x-default" = "none"), length(max = 64))]
    pub(in crate::policies) cookies: Vec<CookieName>,
    /// The header of its answer with the user's name.
    #[schemars(extend("x-default" = "none"))]
    pub(in crate::policies) user_header: Option<HeaderName>,
    /// How much of a request's body it gets at most: a larger one is refused.
    #[schemars(extend("x-default" = "no body"))]
    pub(in crate::policies) request_body: Option<KeptQuantity>,
    /// Where clients go that it answers 401; `{url}` in it stands for what they asked for.
    #[schemars(extend("x-default" = "nowhere"))]
    pub(in crate::policies) sign_in_url: Option<Location>,
    /// How long it may take.
    #[schemars(extend("x-default" = "30s"))]
    pub(in crate::policies) timeout: Option<Timeout>,
    /// The Secret of the Policy's namespace with the authorities (ca.crt) that its certificate must come from.
    #[schemars(extend("x-default" = "the public ones"))]
    pub(in crate::policies) ca_secret: Option<Text>,
    /// The name that its certificate must be for.
    #[schemars(extend("x-default" = "the host of the URL"))]
    pub(in crate::policies) server_name: Option<Host>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::policies) struct AuthServiceSpec {
    /// What it is called.
    pub(in crate::policies) name: Text,
    /// Where it is.
    #[schemars(extend("x-default" = "the namespace of the Policy"))]
    pub(in crate::policies) namespace: Option<Text>,
    /// Its port.
    pub(in crate::policies) port: Port,
    /// What it is asked for.
    #[schemars(extend("x-default" = "/"))]
    pub(in crate::policies) path: Option<RequestPath>,
}
