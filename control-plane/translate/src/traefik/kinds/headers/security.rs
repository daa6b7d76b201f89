//! The fields of `headers` that browsers protect their users by.
//!
//! Headers and values are those of github.com/unrolled/secure, which Traefik uses.

use sluice_proto::{HeaderChange, HeaderOperation};

use crate::traefik::kinds::headers::HeadersSpec;

/// Returns whether anything of this is asked for.
pub(super) fn is_said(read: &HeadersSpec) -> bool {
    let texts = [
        &read.custom_frame_options_value,
        &read.custom_browser_xss_value,
        &read.content_security_policy,
        &read.content_security_policy_report_only,
        &read.public_key,
        &read.referrer_policy,
        &read.permissions_policy,
        &read.feature_policy,
    ];
    let switches = [
        read.ssl_redirect,
        read.ssl_temporary_redirect,
        read.ssl_force_host,
        read.sts_include_subdomains,
        read.sts_preload,
        read.force_sts_header,
        read.frame_deny,
        read.content_type_nosniff,
        read.browser_xss_filter,
        read.is_development,
    ];
    switches.contains(&true)
        || texts.iter().any(|text| !text.0.is_empty())
        || !read.allowed_hosts.is_empty()
        || !read.hosts_proxy_headers.is_empty()
        || !read.ssl_proxy_headers.is_empty()
        || !read.ssl_host.is_empty()
        || read.sts_seconds.is_some()
}

/// Returns the headers of responses.
pub(super) fn response_headers(read: &HeadersSpec) -> Vec<HeaderChange> {
    let or = |custom: &str, switch: bool, usual: &str| match custom {
        "" if switch => usual.to_owned(),
        custom => custom.to_owned(),
    };
    let frame = or(&read.custom_frame_options_value.0, read.frame_deny, "DENY");
    let xss = or(
        &read.custom_browser_xss_value.0,
        read.browser_xss_filter,
        "1; mode=block",
    );
    let sniff = or("", read.content_type_nosniff, "nosniff");
    // "isDevelopment: mitigate the unwanted effects of the AllowedHosts, SSL, and STS options".
    let (sts, key) = if read.is_development {
        (String::new(), String::new())
    } else {
        (strict_transport_security(read), read.public_key.0.clone())
    };
    let always = false;
    let headers = [
        // "Strict-Transport-Security ... over non-secure transport" is not allowed (RFC 6797, section 7.2).
        ("strict-transport-security", sts, !read.force_sts_header),
        ("public-key-pins", key, true),
        ("x-frame-options", frame, always),
        ("x-content-type-options", sniff, always),
        ("x-xss-protection", xss, always),
        (
            "content-security-policy",
            read.content_security_policy.0.clone(),
            always,
        ),
        (
            "content-security-policy-report-only",
            read.content_security_policy_report_only.0.clone(),
            always,
        ),
        ("referrer-policy", read.referrer_policy.0.clone(), always),
        (
            "permissions-policy",
            read.permissions_policy.0.clone(),
            always,
        ),
    ];
    let headers = headers
        .into_iter()
        .filter(|(_, value, _)| !value.is_empty());
    let headers = headers.map(|(name, value, only_https)| HeaderChange {
        name: name.to_owned(),
        operation: HeaderOperation::Set(value),
        only_https,
    });
    headers.collect()
}

fn strict_transport_security(read: &HeadersSpec) -> String {
    match read.sts_seconds {
        None | Some(0) => String::new(),
        Some(seconds) => {
            let subdomains = if read.sts_include_subdomains {
                "; includeSubDomains"
            } else {
                ""
            };
            let preload = if read.sts_preload { "; preload" } else { "" };
            format!("max-age={seconds}{subdomains}{preload}")
        }
    }
}
