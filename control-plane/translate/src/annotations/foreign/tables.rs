//! What is lost without each annotation of ingress-nginx and Traefik that Sluice does not do, one line each, with the reason.
//!
//! It does not judge what is not listed: `foreign.rs` does, by the name.

use crate::annotations::foreign::Loss;

pub(super) const NGINX_TABLE: &[(&str, Loss, &str)] = &[
    ("affinity", Loss::Harmless, STICKY),
    ("affinity-mode", Loss::Harmless, STICKY),
    ("allowlist-source-range", Loss::Protects, ADDRESSES),
    ("app-root", Loss::Harmless, "the root is not redirected"),
    ("auth-realm", Loss::Protects, CREDENTIALS),
    ("auth-secret", Loss::Protects, CREDENTIALS),
    ("auth-snippet", Loss::Protects, SNIPPET),
    ("auth-tls-secret", Loss::Protects, CLIENT_CERTIFICATE),
    ("auth-tls-verify-client", Loss::Protects, CLIENT_CERTIFICATE),
    ("auth-type", Loss::Protects, CREDENTIALS),
    ("auth-url", Loss::Protects, CREDENTIALS),
    (
        "backend-protocol",
        Loss::Harmless,
        "use appProtocol of the Service's port",
    ),
    ("canary", Loss::Yields, VARIANT),
    ("canary-by-cookie", Loss::Harmless, VARIANT),
    ("canary-by-header", Loss::Harmless, VARIANT),
    ("canary-by-header-pattern", Loss::Harmless, VARIANT),
    ("canary-by-header-value", Loss::Harmless, VARIANT),
    ("canary-weight", Loss::Harmless, VARIANT),
    ("canary-weight-total", Loss::Harmless, VARIANT),
    ("client-body-buffer-size", Loss::Harmless, BUFFER),
    ("configuration-snippet", Loss::Protects, SNIPPET),
    ("cors-allow-credentials", Loss::Harmless, BROWSERS),
    ("cors-allow-headers", Loss::Harmless, BROWSERS),
    ("cors-allow-methods", Loss::Harmless, BROWSERS),
    ("cors-allow-origin", Loss::Harmless, BROWSERS),
    (
        "custom-http-errors",
        Loss::Harmless,
        "the backend's own error pages are served",
    ),
    ("default-backend", Loss::Harmless, "503 is answered instead"),
    ("denylist-source-range", Loss::Protects, ADDRESSES),
    ("enable-access-log", Loss::Harmless, TELEMETRY),
    ("enable-cors", Loss::Harmless, BROWSERS),
    ("enable-modsecurity", Loss::Protects, FILTER),
    ("enable-opentelemetry", Loss::Harmless, TELEMETRY),
    ("enable-owasp-core-rules", Loss::Protects, FILTER),
    ("force-ssl-redirect", Loss::Harmless, REDIRECT),
    (
        "from-to-www-redirect",
        Loss::Harmless,
        "the other name is not redirected",
    ),
    ("limit-burst-multiplier", Loss::Protects, RATE),
    ("limit-connections", Loss::Protects, RATE),
    ("limit-rate", Loss::Harmless, "it only slows responses down"),
    (
        "limit-rate-after",
        Loss::Harmless,
        "it only slows responses down",
    ),
    ("limit-rpm", Loss::Protects, RATE),
    ("limit-rps", Loss::Protects, RATE),
    ("load-balance", Loss::Harmless, BALANCE),
    ("modsecurity-snippet", Loss::Protects, FILTER),
    ("permanent-redirect", Loss::Protects, NEVER_REACHED),
    ("proxy-body-size", Loss::Harmless, BUFFER),
    ("proxy-buffer-size", Loss::Harmless, BUFFER),
    ("proxy-buffering", Loss::Harmless, BUFFER),
    ("proxy-buffers-number", Loss::Harmless, BUFFER),
    ("proxy-connect-timeout", Loss::Harmless, TIME),
    ("proxy-read-timeout", Loss::Harmless, TIME),
    ("proxy-request-buffering", Loss::Harmless, BUFFER),
    ("proxy-send-timeout", Loss::Harmless, TIME),
    ("proxy-ssl-secret", Loss::Harmless, UPSTREAM_TLS),
    ("proxy-ssl-verify", Loss::Harmless, UPSTREAM_TLS),
    ("rewrite-target", Loss::Protects, CONFINES),
    ("satisfy", Loss::Protects, CREDENTIALS),
    (
        "server-alias",
        Loss::Harmless,
        "the other names are not served",
    ),
    ("server-snippet", Loss::Protects, SNIPPET),
    ("service-upstream", Loss::Harmless, BALANCE),
    ("session-cookie-name", Loss::Harmless, STICKY),
    (
        "ssl-passthrough",
        Loss::Protects,
        "the backend is meant to end TLS itself",
    ),
    ("ssl-redirect", Loss::Harmless, REDIRECT),
    ("temporal-redirect", Loss::Protects, NEVER_REACHED),
    ("upstream-hash-by", Loss::Harmless, STICKY),
    (
        "upstream-vhost",
        Loss::Harmless,
        "the backend gets the client's Host",
    ),
    ("use-regex", Loss::Protects, "its paths are patterns"),
    ("whitelist-source-range", Loss::Protects, ADDRESSES),
    ("x-forwarded-prefix", Loss::Harmless, HEADER),
];

pub(super) const TRAEFIK_TABLE: &[(&str, Loss, &str)] = &[
    (
        "router.middlewares",
        Loss::Protects,
        "it has an effect on Ingresses only, and a Middleware may keep requests out",
    ),
    ("router.observability.accesslogs", Loss::Harmless, TELEMETRY),
    ("router.observability.metrics", Loss::Harmless, TELEMETRY),
    (
        "router.observability.traceverbosity",
        Loss::Harmless,
        TELEMETRY,
    ),
    ("router.observability.tracing", Loss::Harmless, TELEMETRY),
    (
        "router.pathmatcher",
        Loss::Protects,
        "its paths would take more than meant",
    ),
    (
        "router.priority",
        Loss::Harmless,
        "it is no whole number; the longest path goes first",
    ),
    (
        "router.rulesyntax",
        Loss::Harmless,
        "it changes nothing for an Ingress",
    ),
    ("router.tls", Loss::Harmless, REDIRECT),
    ("router.tls.certresolver", Loss::Harmless, TLS_ELSEWHERE),
    (
        "router.tls.options",
        Loss::Protects,
        "it has an effect on Ingresses only, and may ask for client certificates",
    ),
    (
        "service.middlewares",
        Loss::Protects,
        "it has an effect on Services only, and a Middleware may keep requests out",
    ),
    ("service.nativelb", Loss::Harmless, BALANCE),
    ("service.nodeportlb", Loss::Harmless, BALANCE),
    (
        "service.passhostheader",
        Loss::Harmless,
        "the backend gets the client's Host",
    ),
    (
        "service.serversscheme",
        Loss::Harmless,
        "use appProtocol of the Service's port",
    ),
    (
        "service.serverstransport",
        Loss::Harmless,
        "it has an effect on Services only",
    ),
];

/// Where "false" or nothing asks for what happens anyway.
pub(super) const NGINX_SWITCHES: &[&str] = &[
    "auth-tls-pass-certificate-to-upstream",
    "auth-tls-verify-client",
    "canary",
    "enable-cors",
    "enable-global-auth",
    "enable-modsecurity",
    "enable-opentelemetry",
    "enable-owasp-core-rules",
    "enable-rewrite-log",
    "force-ssl-redirect",
    "from-to-www-redirect",
    "proxy-buffering",
    "proxy-request-buffering",
    "service-upstream",
    "ssl-passthrough",
    "ssl-redirect",
    "use-regex",
];

/// Words in the names of annotations that keep somebody out.
pub(super) const SPEAKING: &[&str] = &[
    "access",
    "allow",
    "auth",
    "block",
    "deny",
    "ip-",
    "limit",
    "secure",
    "snippet",
    "waf",
    "whitelist",
];

pub(super) const STICKY: &str = "each request may reach another endpoint";
pub(super) const TLS_ELSEWHERE: &str = "certificates come from spec.tls";
const CREDENTIALS: &str = "it asks for credentials";
const CLIENT_CERTIFICATE: &str = "it asks for client certificates";
const CONFINES: &str = "it confines what of the backend can be reached";
const NEVER_REACHED: &str = "its requests are never meant to reach the backend";
const RATE: &str = "it slows down attackers";
const ADDRESSES: &str = "it admits some client addresses only";
const SNIPPET: &str = "it may refuse requests";
const FILTER: &str = "it filters attacks";
const VARIANT: &str = "it is a variant of another Ingress";
const REDIRECT: &str = "plain HTTP is served as well";
const BROWSERS: &str = "it only tells browsers more";
const BUFFER: &str = "Sluice streams";
const TIME: &str = "the timeouts of the edge hold";
const BALANCE: &str = "Sluice balances in its own way";
const TELEMETRY: &str = "only telemetry is missing";
const UPSTREAM_TLS: &str = "endpoints are spoken to in clear, which those that want TLS refuse";
const HEADER: &str = "the backend does not get the header";
