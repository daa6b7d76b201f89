//! `requestHeaders`, `responseHeaders`, `securityHeaders` and `cors`: what stands in headers.

use std::collections::BTreeMap;

use sluice_proto::{Cors, HeaderChange, HeaderOperation, HeaderRules, PolicyAction};

use crate::policies::effect::{Effect, Said, Wrong};
use crate::policies::spec::{CorsSpec, HeadersSpec, Preset, SecurityHeadersSpec};
use crate::policies::value::HeaderOrAny;
use crate::value::{HeaderName, HeaderValue};

impl HeadersSpec {
    pub(super) fn of_requests(self, said: Said<'_>) -> Result<Effect, Wrong> {
        let field = "requestHeaders";
        let is_host = |name: &HeaderName| name.0 == "host";
        if self.remove.iter().any(is_host) || self.add.keys().any(is_host) {
            return Err(Wrong::new(
                field,
                "a request has exactly one Host: it can only be set",
            ));
        }
        let rules = HeaderRules {
            request: self.changes(field)?,
            ..HeaderRules::default()
        };
        Ok(said.does(field, PolicyAction::HeaderRules(rules)))
    }

    pub(super) fn of_responses(self, said: Said<'_>) -> Result<Effect, Wrong> {
        let field = "responseHeaders";
        let rules = HeaderRules {
            response: self.changes(field)?,
            ..HeaderRules::default()
        };
        Ok(said.does(field, PolicyAction::HeaderRules(rules)))
    }

    fn changes(self, field: &str) -> Result<Vec<HeaderChange>, Wrong> {
        let removed = self.remove.into_iter().map(|name| HeaderChange {
            name: name.0,
            operation: HeaderOperation::Remove,
            only_https: false,
        });
        let set = changes(self.set, HeaderOperation::Set);
        let added = changes(self.add, HeaderOperation::Add);
        let changes: Vec<_> = removed.chain(set).chain(added).collect();
        if changes.is_empty() {
            return Err(Wrong::new(field, "it changes nothing"));
        }
        Ok(changes)
    }
}

impl SecurityHeadersSpec {
    pub(super) fn effect(self, said: Said<'_>) -> Result<Effect, Wrong> {
        let field = "securityHeaders";
        let own = [
            self.strict_transport_security,
            self.content_type_options,
            self.frame_options,
            self.referrer_policy,
            self.content_security_policy,
            self.permissions_policy,
            self.cross_origin_opener_policy,
            self.cross_origin_resource_policy,
        ];
        let preset = self.preset;
        let values = SECURITY.iter().zip(own).filter_map(|(header, own)| {
            let usual = match preset {
                None => "",
                Some(Preset::Default) => header.default,
                Some(Preset::Strict) => header.strict,
            };
            let value = own.map_or_else(|| usual.to_owned(), |own| own.0);
            (!value.is_empty()).then(|| HeaderChange {
                name: header.name.to_owned(),
                operation: HeaderOperation::Set(value),
                only_https: header.name == STRICT_TRANSPORT_SECURITY,
            })
        });
        let response: Vec<_> = values.collect();
        if response.is_empty() {
            return Err(Wrong::new(field, "it sets nothing"));
        }
        let rules = HeaderRules {
            response,
            ..HeaderRules::default()
        };
        Ok(said.does(field, PolicyAction::HeaderRules(rules)))
    }
}

impl CorsSpec {
    pub(super) fn effect(self, said: Said<'_>) -> Result<Effect, Wrong> {
        if self.origins.is_empty() && self.origin_patterns.is_empty() {
            let reason = "it says neither origins nor originPatterns";
            return Err(Wrong::new("cors", reason));
        }
        // "If credentials are allowed, the value of Access-Control-Allow-Origin cannot be *" (Fetch, section 3.3.5).
        if self.credentials && self.origins.iter().any(|origin| origin.0 == "*") {
            let reason = "cookies of all sites cannot be allowed: name the sites";
            return Err(Wrong::new("cors.origins", reason));
        }
        let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        let names = |names: Vec<HeaderOrAny>| names.into_iter().map(|name| name.0).collect();
        let cors = Cors {
            origins: self.origins.into_iter().map(|origin| origin.0).collect(),
            origin_patterns: (self.origin_patterns.into_iter())
                .map(|pattern| pattern.0)
                .collect(),
            methods: match self.methods {
                Some(methods) => methods.into_iter().map(|method| method.0).collect(),
                None => texts(&METHODS),
            },
            headers: self.headers.map_or_else(|| texts(&HEADERS), names),
            exposed_headers: names(self.exposed_headers),
            credentials: self.credentials,
            max_age_s: self.max_age.map(|age| age.0.as_secs()),
            vary: true,
            preflight_status: 204,
            answer_all_preflights: true,
        };
        Ok(said.does("cors", PolicyAction::Cors(cors)))
    }
}

fn changes(
    headers: BTreeMap<HeaderName, HeaderValue>,
    operation: fn(String) -> HeaderOperation,
) -> impl Iterator<Item = HeaderChange> {
    headers.into_iter().map(move |(name, value)| HeaderChange {
        name: name.0,
        operation: operation(value.0),
        only_https: false,
    })
}

/// A header by which browsers protect their users, with its value in each preset; empty for none.
struct Security {
    name: &'static str,
    default: &'static str,
    strict: &'static str,
}

/// In the order of the fields. `default` has what hardly any site can do harm to itself with; `strict` is for a site that
/// loads nothing from elsewhere, and is shown in no frame.
const SECURITY: [Security; 8] = [
    Security {
        name: STRICT_TRANSPORT_SECURITY,
        default: "max-age=31536000",
        strict: "max-age=63072000; includeSubDomains",
    },
    Security {
        name: "x-content-type-options",
        default: "nosniff",
        strict: "nosniff",
    },
    Security {
        name: "x-frame-options",
        default: "SAMEORIGIN",
        strict: "DENY",
    },
    Security {
        name: "referrer-policy",
        default: "strict-origin-when-cross-origin",
        strict: "no-referrer",
    },
    Security {
        name: "content-security-policy",
        default: "",
        strict: "default-src 'self'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'; object-src 'none'",
    },
    Security {
        name: "permissions-policy",
        default: "",
        strict: "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    },
    Security {
        name: "cross-origin-opener-policy",
        default: "",
        strict: "same-origin",
    },
    Security {
        name: "cross-origin-resource-policy",
        default: "",
        strict: "same-origin",
    },
];
/// "An HSTS Host MUST NOT include the STS header field in HTTP responses conveyed over non-secure transport" (RFC 6797,
/// section 7.2).
const STRICT_TRANSPORT_SECURITY: &str = "strict-transport-security";
const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];
const HEADERS: [&str; 2] = ["authorization", "content-type"];
