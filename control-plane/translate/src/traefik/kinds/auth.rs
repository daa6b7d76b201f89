//! `basicAuth` and `forwardAuth`: who may ask. What they need of Secrets comes later (`attach.rs`).

use serde::Deserialize;
use serde_json::Value;
use sluice_proto::{BasicAuth, ForwardAuth, Policy, PolicyAction, UpstreamTls};

use crate::needs::{NamedSecrets, Needs};
use crate::traefik::kept::{Meaning, Spec, Wrong};
use crate::traefik::value::{HeaderName, HeaderValue, Pattern};
use crate::value::is_http_url;

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct BasicAuthSpec {
    secret: String,
    realm: HeaderValue,
    remove_header: bool,
    header_field: Option<HeaderName>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ForwardAuthSpec {
    address: String,
    trust_forward_header: bool,
    auth_response_headers: Vec<HeaderName>,
    auth_response_headers_regex: Option<Pattern>,
    auth_request_headers: Vec<HeaderName>,
    tls: Option<ClientTls>,
    max_response_body_size: Option<i64>,
    add_auth_cookies_to_response: Vec<String>,
    header_field: Option<HeaderName>,
    forward_body: bool,
    max_body_size: Option<i64>,
    preserve_location_header: bool,
    preserve_request_method: bool,
    #[serde(rename = "authSigninURL")]
    auth_signin_url: HeaderValue,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ClientTls {
    ca_secret: String,
    cert_secret: String,
    insecure_skip_verify: bool,
    // Without effect in Traefik, too.
    #[serde(rename = "caOptional")]
    _ca_optional: Option<Value>,
}

pub(super) fn basic_auth(spec: &mut Spec<'_>) -> Result<Meaning, Wrong> {
    let read: BasicAuthSpec = spec.read()?;
    if read.secret.is_empty() {
        return Err(Wrong::new("secret", "it is empty"));
    }
    let auth = BasicAuth {
        realm: Some(read.realm.0)
            .filter(|realm| !realm.is_empty())
            .unwrap_or_else(|| REALM.to_owned()),
        credentials: Vec::new(),
        remove_authorization: read.remove_header,
        user_header: read.header_field.map(|name| name.0),
    };
    let policy = spec.policy("", PolicyAction::BasicAuth(auth));
    Ok(Meaning::Needs(Box::new(Needs {
        incomplete: Policy::clone(&policy),
        secrets: NamedSecrets {
            credentials: Some(spec.secret("secret", read.secret)),
            ..NamedSecrets::default()
        },
    })))
}

pub(super) fn forward_auth(spec: &mut Spec<'_>) -> Result<Meaning, Wrong> {
    let mut read: ForwardAuthSpec = spec.read()?;
    check_url("address", &read.address)?;
    if read.trust_forward_header {
        spec.differs(
            "trustForwardHeader",
            "the service gets the X-Forwarded headers that Sluice made, with the client that the settings trust",
            "Name what is in front in trustedProxies of the settings",
        );
    }
    let body_bytes = read
        .forward_body
        .then(|| body_bytes(read.max_body_size, spec));
    let answered = without_host(&mut read, spec);
    let tls = read.tls.unwrap_or_default();
    let names = |names: Vec<HeaderName>| names.into_iter().map(|name| name.0).collect();
    let auth = ForwardAuth {
        url: read.address,
        request_headers: names(read.auth_request_headers),
        response_headers: answered,
        response_headers_pattern: read.auth_response_headers_regex.map(|pattern| pattern.0),
        cookies: read.add_auth_cookies_to_response,
        user_header: read.header_field.map(|name| name.0),
        body_bytes,
        response_bytes: (read
            .max_response_body_size
            .and_then(|bytes| u64::try_from(bytes).ok()))
        .filter(|bytes| *bytes > 0)
        .unwrap_or(ForwardAuth::RESPONSE_BYTES),
        keep_location: read.preserve_location_header,
        keep_method: read.preserve_request_method,
        sign_in_url: Some(read.auth_signin_url.0).filter(|url| !url.is_empty()),
        timeout: ForwardAuth::TIMEOUT,
        tls: UpstreamTls {
            insecure: tls.insecure_skip_verify,
            ..UpstreamTls::default()
        },
    };
    let policy = spec.policy("", PolicyAction::ForwardAuth(Box::new(auth)));
    let named = |field, name: String| (!name.is_empty()).then(|| spec.secret(field, name));
    let authorities = named("tls.caSecret", tls.ca_secret);
    let certificate = named("tls.certSecret", tls.cert_secret);
    if authorities.is_none() && certificate.is_none() {
        return Ok(Meaning::Policies(vec![policy]));
    }
    Ok(Meaning::Needs(Box::new(Needs {
        incomplete: Policy::clone(&policy),
        secrets: NamedSecrets {
            authorities: authorities.into_iter().collect(),
            certificate,
            ..NamedSecrets::default()
        },
    })))
}

/// Returns the headers of an answer that the backend gets, Host is none of them.
fn without_host(read: &mut ForwardAuthSpec, spec: &mut Spec<'_>) -> Vec<String> {
    let written = std::mem::take(&mut read.auth_response_headers);
    let (host, others): (Vec<_>, Vec<_>) = (written.into_iter())
        .map(|name| name.0)
        .partition(|name| name == HOST);
    let is_host = |name: &mut HeaderName| name.0 == HOST;
    if read.header_field.take_if(is_host).is_some() || !host.is_empty() {
        let how = "an answer does not change the Host that the request was routed by";
        spec.differs("authResponseHeaders", how, "Leave Host out");
    }
    others
}

/// Returns how many bytes of a request the service gets at most. Any number of them would fill any memory.
fn body_bytes(written: Option<i64>, spec: &mut Spec<'_>) -> u64 {
    written.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or_else(|| {
        spec.differs(
            "maxBodySize",
            "a body of any size would be kept for the service; Sluice answers 401 to more than 1 MiB",
            "Say how many bytes the service may get",
        );
        BODY_BYTES
    })
}

fn check_url(field: &str, url: &str) -> Result<(), Wrong> {
    if is_http_url(url) {
        return Ok(());
    }
    let reason = format!("{url:?} is no URL such as http://auth.default.svc.cluster.local/verify");
    Err(Wrong::new(field, reason))
}

/// "Default: traefik."
const REALM: &str = "traefik";
const BODY_BYTES: u64 = 1_048_576;
const HOST: &str = "host";
