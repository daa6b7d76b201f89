//! `headers`: headers of one's own, those that browsers protect their users by, and what other sites may do (CORS).
//!
//! One Middleware becomes up to two policies, in the order in which Traefik does it: preflight requests are answered before
//! anything else, then request headers are changed and the host is looked at.

mod security;

use std::collections::BTreeMap;

use serde::Deserialize;
use sluice_proto::{Cors, HeaderChange, HeaderOperation, HeaderRules, PolicyAction};

use crate::traefik::kept::{Meaning, Spec, Wrong};
use crate::traefik::kinds::headers::security::{is_said, response_headers};
use crate::traefik::value::{HeaderName, HeaderValue, Pattern};
use crate::value::is_origin;

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct HeadersSpec {
    custom_request_headers: BTreeMap<HeaderName, HeaderValue>,
    custom_response_headers: BTreeMap<HeaderName, HeaderValue>,

    access_control_allow_credentials: bool,
    access_control_allow_headers: Vec<HeaderValue>,
    access_control_allow_methods: Vec<HeaderValue>,
    access_control_allow_origin_list: Vec<HeaderValue>,
    access_control_allow_origin_list_regex: Vec<Pattern>,
    access_control_expose_headers: Vec<HeaderValue>,
    access_control_max_age: Option<i64>,
    add_vary_header: bool,

    allowed_hosts: Vec<String>,
    hosts_proxy_headers: Vec<String>,
    is_development: bool,
    ssl_proxy_headers: BTreeMap<String, String>,

    sts_seconds: Option<u64>,
    sts_include_subdomains: bool,
    sts_preload: bool,
    #[serde(rename = "forceSTSHeader")]
    force_sts_header: bool,
    frame_deny: bool,
    custom_frame_options_value: HeaderValue,
    content_type_nosniff: bool,
    browser_xss_filter: bool,
    #[serde(rename = "customBrowserXSSValue")]
    custom_browser_xss_value: HeaderValue,
    content_security_policy: HeaderValue,
    content_security_policy_report_only: HeaderValue,
    public_key: HeaderValue,
    referrer_policy: HeaderValue,
    permissions_policy: HeaderValue,

    // Without effect; a Middleware of them alone is none that asks for nothing.
    ssl_redirect: bool,
    ssl_temporary_redirect: bool,
    ssl_host: String,
    ssl_force_host: bool,
    feature_policy: HeaderValue,
}

pub(super) fn headers(spec: &mut Spec<'_>) -> Result<Meaning, Wrong> {
    let read: HeadersSpec = spec.read()?;
    let cors = cors(&read);
    let has_custom =
        !read.custom_request_headers.is_empty() || !read.custom_response_headers.is_empty();
    if cors.is_none() && !has_custom && !is_said(&read) {
        return Err(Wrong::new("", "it asks for nothing"));
    }
    report_differences(&read, spec);
    let mut response = response_headers(&read);
    response.extend(read.custom_response_headers.into_iter().map(change));
    let rules = HeaderRules {
        request: (read.custom_request_headers.into_iter().map(change))
            .filter(|change| !is_host_removed(change))
            .collect(),
        response,
        allowed_hosts: if read.is_development {
            Vec::new()
        } else {
            hosts(read.allowed_hosts)
        },
    };
    let rules = Some(rules).filter(|rules| *rules != HeaderRules::default());
    let cors = cors.map(|cors| spec.policy("accessControl", PolicyAction::Cors(cors)));
    let rules = rules.map(|rules| spec.policy("", PolicyAction::HeaderRules(rules)));
    Ok(Meaning::Policies(
        [cors, rules].into_iter().flatten().collect(),
    ))
}

/// Returns what other sites may do, if anything is said about it.
fn cors(read: &HeadersSpec) -> Option<Cors> {
    let texts = |values: &[HeaderValue]| values.iter().map(|value| value.0.clone()).collect();
    let cors = Cors {
        origins: (read.access_control_allow_origin_list.iter())
            .map(|origin| origin.0.clone())
            .filter(|origin| is_permitted(origin))
            .collect(),
        origin_patterns: (read.access_control_allow_origin_list_regex.iter())
            .map(|pattern| pattern.0.clone())
            .collect(),
        methods: texts(&read.access_control_allow_methods),
        headers: texts(&read.access_control_allow_headers),
        exposed_headers: texts(&read.access_control_expose_headers),
        credentials: read.access_control_allow_credentials,
        // Less than nothing is nothing: the browser forgets the answer at once.
        max_age_s: (read.access_control_max_age).map(|age| u64::try_from(age).unwrap_or(0)),
        vary: read.add_vary_header,
        ..Cors::default()
    };
    (cors != Cors::default()).then_some(Cors {
        preflight_status: 200,
        answer_all_preflights: true,
        ..cors
    })
}

/// No browser sends another, so nobody is permitted by it.
fn is_permitted(origin: &str) -> bool {
    origin == "*" || is_origin(origin)
}

/// "An empty value removes the header."
fn change((name, value): (HeaderName, HeaderValue)) -> HeaderChange {
    HeaderChange {
        name: name.0,
        operation: match value.0 {
            value if value.is_empty() => HeaderOperation::Remove,
            value => HeaderOperation::Set(value),
        },
        only_https: false,
    }
}

/// No request is without a host, and Traefik does not take it away either.
fn is_host_removed(change: &HeaderChange) -> bool {
    change.name == "host" && change.operation == HeaderOperation::Remove
}

fn hosts(written: Vec<String>) -> Vec<String> {
    let mut hosts: Vec<_> = written
        .into_iter()
        .map(|host| host.to_ascii_lowercase())
        .collect();
    hosts.sort();
    hosts.dedup();
    hosts
}

fn report_differences(read: &HeadersSpec, spec: &mut Spec<'_>) {
    for (index, origin) in read.access_control_allow_origin_list.iter().enumerate() {
        if !is_permitted(&origin.0) {
            spec.differs(
                &format!("accessControlAllowOriginList[{index}]"),
                "it is no origin that a browser sends, and permits nobody",
                "Write such as https://example.com: a scheme, a host, perhaps a port, and nothing else",
            );
        }
    }
    if !read.hosts_proxy_headers.is_empty() {
        spec.differs(
            "hostsProxyHeaders",
            "the host that counts is the one that the request is routed by, whatever these headers say",
            "Let what is in front send that host",
        );
    }
    for (field, is_said, remedy) in [
        ("sslRedirect", read.ssl_redirect, REDIRECT),
        (
            "sslTemporaryRedirect",
            read.ssl_temporary_redirect,
            REDIRECT,
        ),
        ("sslHost", !read.ssl_host.is_empty(), REDIRECT),
        ("sslForceHost", read.ssl_force_host, REDIRECT),
        (
            "featurePolicy",
            !read.feature_policy.0.is_empty(),
            PERMISSIONS,
        ),
    ] {
        if is_said {
            spec.differs(
                field,
                "it has no effect, and none in Traefik 3 either",
                remedy,
            );
        }
    }
    let is_scheme = |(name, value): (&String, &String)| {
        name.eq_ignore_ascii_case("X-Forwarded-Proto") && value == "https"
    };
    if !read.ssl_proxy_headers.iter().all(is_scheme) {
        spec.differs(
            "sslProxyHeaders",
            "that a request came by HTTPS is believed of X-Forwarded-Proto: https from a trusted proxy, and of no other header",
            "Let what is in front send X-Forwarded-Proto, and name it in trustedProxies of the settings",
        );
    }
}

const REDIRECT: &str =
    "Write a Middleware of the kind redirectScheme or redirectRegex, and name it before this one";
const PERMISSIONS: &str = "Write permissionsPolicy";
