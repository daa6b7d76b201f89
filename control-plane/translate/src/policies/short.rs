//! Annotations of one line each, which are short for a field of a Policy.
//!
//! It does not say what a field means: each annotation is rewritten as the field, and read as that.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use sluice_proto::ObjectReference;

use crate::duty::Duty;
use crate::needs::Lacking;
use crate::policies::effect::Said;
use crate::policies::kept::{Kept, Part, read as read_field};
use crate::policies::order::place;
use crate::problem::{Fault, ProblemCode};

/// An annotation that is short for a field of a Policy.
pub(super) struct Short {
    name: &'static str,
    pub(super) field: &'static str,
    pub(super) example: &'static str,
    pub(super) meaning: &'static str,
    /// Returns the field's value, or nothing if the annotation switches it off, or why it cannot be read.
    write: fn(&str) -> Result<Option<Value>, String>,
}

impl Short {
    pub(super) fn key(&self) -> String {
        format!("{PREFIX}{}", self.name)
    }

    fn part(&self, text: &str, ingress: &ObjectReference) -> Part {
        let (_, duty) = place(self.field);
        let at = format!("metadata.annotations[{}]", self.key());
        let said = Said::Annotation(ingress, &at);
        let value = match (self.write)(text.trim()) {
            Ok(Some(value)) => Ok(value),
            Ok(None) => {
                return Part {
                    duty,
                    effects: Ok(Vec::new()),
                };
            }
            Err(reason) => Err(reason),
        };
        let effects = value
            .and_then(|value| read_field(self.field, &value, said).map_err(|wrong| wrong.reason));
        Part {
            duty,
            effects: effects.map_err(|reason| Lacking {
                problem: Box::new(self.malformed(&reason, duty).at(ingress, at.clone())),
                reason,
            }),
        }
    }

    fn malformed(&self, reason: &str, duty: Duty) -> Fault {
        let cost = match duty {
            Duty::Protects => "its routes answer 503",
            Duty::Improves => "its routes are served without",
        };
        Fault::new(
            ProblemCode::AnnotationMalformed,
            format!("{reason}; {cost}"),
            format!("Write such as {:?}", self.example),
        )
    }
}

/// Returns whether this annotation of an Ingress is one of this dialect.
pub(crate) fn is_known(key: &str) -> bool {
    let name = key.strip_prefix(PREFIX);
    let is_short = |name| ANNOTATIONS.iter().any(|annotation| annotation.name == name);
    key == ANNOTATION || name.is_some_and(is_short)
}

/// Returns what the annotations of an Ingress say, but for the Policies that they name.
pub(crate) fn read(
    annotations: Option<&BTreeMap<String, String>>,
    ingress: &ObjectReference,
) -> Kept {
    let parts = annotations.map_or_else(Vec::new, |annotations| {
        let said = ANNOTATIONS.iter().filter_map(|annotation| {
            let text = annotations.get(&annotation.key())?;
            Some(annotation.part(text, ingress))
        });
        said.collect()
    });
    Kept::new(ingress.clone(), parts)
}

fn flag(text: &str, value: Value) -> Result<Option<Value>, String> {
    match text {
        "true" => Ok(Some(value)),
        "false" => Ok(None),
        _ => Err(format!("{text:?} is neither true nor false")),
    }
}

fn list(text: &str) -> Vec<&str> {
    let items = text.split([',', '\n']).map(str::trim);
    items.filter(|item| !item.is_empty()).collect()
}

fn number(text: &str) -> Result<u64, String> {
    text.parse()
        .map_err(|_| format!("{text:?} is no whole number"))
}

/// Returns the headers that lines such as `X-A: 1` name.
fn set_headers(text: &str) -> Result<Option<Value>, String> {
    let mut headers = Map::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (name, value) = line
            .split_once(':')
            .ok_or_else(|| "a line is no header such as X-A: 1".to_owned())?;
        let name = name.trim().to_ascii_lowercase();
        if headers.insert(name.clone(), value.trim().into()).is_some() {
            return Err(format!("{name:?} is there twice"));
        }
    }
    Ok(Some(json!({"set": headers})))
}

fn compression(text: &str) -> Result<Option<Value>, String> {
    match text {
        "true" | "false" => flag(text, json!({})),
        names => Ok(Some(json!({"encodings": list(names)}))),
    }
}

/// `100/1m`, perhaps with `burst 200`.
fn rate_limit(text: &str) -> Result<Option<Value>, String> {
    let mut words = text.split_whitespace();
    let (requests, period) = (words.next())
        .and_then(|rate| rate.split_once('/'))
        .ok_or_else(|| format!("{text:?} is no number of requests and a period"))?;
    let mut limit = json!({"requests": number(requests)?, "period": period});
    match (words.next(), words.next(), words.next()) {
        (None, ..) => {}
        (Some("burst"), Some(burst), None) => limit["burst"] = number(burst)?.into(),
        _ => return Err(format!("{text:?} says more than a rate and a burst")),
    }
    Ok(Some(limit))
}

/// A URL, whose parts stand instead of the request's.
fn redirect(text: &str, permanent: bool) -> Result<Option<Value>, String> {
    let wrong = || format!("{text:?} is no URL");
    let (scheme, rest) = text.split_once("://").ok_or_else(wrong)?;
    let (authority, path) = match rest.find(['/', '?']) {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let mut redirect = json!({"scheme": scheme, "permanent": permanent});
    if authority.contains('@') {
        return Err("the URL has a user name or a password".to_owned());
    }
    let host = match authority.rsplit_once(':') {
        Some((host, port)) => {
            redirect["port"] = number(port)?.into();
            host
        }
        None => authority,
    };
    redirect["host"] = host.into();
    if !path.is_empty() {
        redirect["path"] = path.into();
    }
    Ok(Some(redirect))
}

fn sticky(text: &str) -> Result<Option<Value>, String> {
    match text {
        "true" | "false" => flag(text, json!({})),
        name => Ok(Some(json!({"cookie": name}))),
    }
}

/// `service:port weight`.
fn canary(text: &str) -> Result<Option<Value>, String> {
    let wrong = || format!("{text:?} is no Service with its port, and a weight");
    let (service, weight) = text.split_once(char::is_whitespace).ok_or_else(wrong)?;
    let (name, port) = service.split_once(':').ok_or_else(wrong)?;
    let weight = weight.trim();
    let weight = weight.strip_suffix('%').unwrap_or(weight);
    Ok(Some(json!({
        "service": {"name": name, "port": number(port)?},
        "weight": number(weight)?,
    })))
}

/// What each says of addresses, limits and so on. In the order in which they run.
pub(super) const ANNOTATIONS: &[Short] = &[
    Short {
        name: "response-headers",
        field: "responseHeaders",
        example: "X-Robots-Tag: noindex",
        meaning: "sets headers of responses, one a line",
        write: set_headers,
    },
    Short {
        name: "security-headers",
        field: "securityHeaders",
        example: "default",
        meaning: "sets the headers by which browsers protect their users: `default` or `strict`",
        write: |text| Ok(Some(json!({"preset": text}))),
    },
    Short {
        name: "compression",
        field: "compression",
        example: "br, gzip",
        meaning: "compresses responses: `true`, or in these encodings",
        write: compression,
    },
    Short {
        name: "cors-origins",
        field: "cors",
        example: "https://app.example.com",
        meaning: "the other sites that browsers may ask for",
        write: |text| Ok(Some(json!({"origins": list(text)}))),
    },
    Short {
        name: "allow",
        field: "addresses",
        example: "10.0.0.0/8, cloudflare",
        meaning: "only these addresses, ranges and sets of the settings may ask",
        write: |text| Ok(Some(json!({"allow": list(text)}))),
    },
    Short {
        name: "deny",
        field: "addresses",
        example: "192.0.2.0/24",
        meaning: "these may not",
        write: |text| Ok(Some(json!({"deny": list(text)}))),
    },
    Short {
        name: "https-redirect",
        field: "redirect",
        example: "true",
        meaning: "sends clients that came by HTTP to HTTPS, for good",
        write: |text| flag(text, json!({"scheme": "https", "permanent": true})),
    },
    Short {
        name: "redirect",
        field: "redirect",
        example: "https://www.example.com",
        meaning: "sends clients there for now; their path stays if none is named",
        write: |text| redirect(text, false),
    },
    Short {
        name: "permanent-redirect",
        field: "redirect",
        example: "https://www.example.com",
        meaning: "the same for good",
        write: |text| redirect(text, true),
    },
    Short {
        name: "client-certificates",
        field: "clientCertificates",
        example: "clients-ca",
        meaning: "asks clients for a certificate that comes from an authority of this Secret",
        write: |text| Ok(Some(json!({"caSecret": text}))),
    },
    Short {
        name: "rate-limit",
        field: "rateLimit",
        example: "100/1m burst 200",
        meaning: "so many requests of a client in a period, and perhaps so many at once",
        write: rate_limit,
    },
    Short {
        name: "concurrency-limit",
        field: "concurrencyLimit",
        example: "50",
        meaning: "so many requests of a client in progress at once",
        write: |text| Ok(Some(json!({"requests": number(text)?}))),
    },
    Short {
        name: "request-body-limit",
        field: "requestBody",
        example: "10Mi",
        meaning: "so large bodies of requests at most",
        write: |text| Ok(Some(json!({"limit": text}))),
    },
    Short {
        name: "response-body-limit",
        field: "responseBody",
        example: "100Mi",
        meaning: "so large bodies of responses at most",
        write: |text| Ok(Some(json!({"limit": text}))),
    },
    Short {
        name: "basic-auth",
        field: "basicAuth",
        example: "users",
        meaning: "asks for a user name and password of this Secret",
        write: |text| Ok(Some(json!({"secret": text}))),
    },
    Short {
        name: "forward-auth",
        field: "forwardAuth",
        example: "http://auth.default.svc:8080/verify",
        meaning: "asks this URL whether a request may pass",
        write: |text| Ok(Some(json!({"url": text}))),
    },
    Short {
        name: "strip-prefix",
        field: "rewrite",
        example: "/api",
        meaning: "takes the first of these prefixes away from the path",
        write: |text| Ok(Some(json!({"stripPrefix": list(text)}))),
    },
    Short {
        name: "add-prefix",
        field: "rewrite",
        example: "/v1",
        meaning: "puts this in front of the path, or of what is left of it",
        write: |text| Ok(Some(json!({"addPrefix": text}))),
    },
    Short {
        name: "rewrite-path",
        field: "rewrite",
        example: "/index.html",
        meaning: "asks the backend for this path, whatever was asked for",
        write: |text| Ok(Some(json!({"path": text}))),
    },
    Short {
        name: "request-headers",
        field: "requestHeaders",
        example: "X-Environment: production",
        meaning: "sets headers of requests, one a line",
        write: set_headers,
    },
    Short {
        name: "retry",
        field: "retry",
        example: "2",
        meaning: "so many tries, the first one included",
        write: |text| Ok(Some(json!({"attempts": number(text)?}))),
    },
    Short {
        name: "request-timeout",
        field: "timeouts",
        example: "30s",
        meaning: "from the request's header section to the end of the response",
        write: |text| Ok(Some(json!({"request": text}))),
    },
    Short {
        name: "connect-timeout",
        field: "timeouts",
        example: "1s",
        meaning: "to open a connection to an endpoint",
        write: |text| Ok(Some(json!({"connect": text}))),
    },
    Short {
        name: "response-headers-timeout",
        field: "timeouts",
        example: "10m",
        meaning: "from the request sent to the header section of the endpoint's response",
        write: |text| Ok(Some(json!({"responseHeaders": text}))),
    },
    Short {
        name: "upstream-tls",
        field: "upstreamTls",
        example: "internal-ca",
        meaning: "speaks TLS with endpoints, whose certificates come from an authority of this Secret",
        write: |text| Ok(Some(json!({"caSecret": text}))),
    },
    Short {
        name: "sticky",
        field: "sticky",
        example: "true",
        meaning: "brings clients back to their endpoint: `true`, or by the cookie of this name",
        write: sticky,
    },
    Short {
        name: "canary",
        field: "canary",
        example: "web-canary:80 10",
        meaning: "sends so many of a hundred requests to this port of this Service",
        write: canary,
    },
];

const PREFIX: &str = "ingress.sluice.dev/";
/// The annotation that names Policies.
pub(super) const ANNOTATION: &str = "ingress.sluice.dev/policies";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_that_of_the_fields_and_each_name_is_there_once() {
        let places = ANNOTATIONS
            .iter()
            .map(|annotation| place(annotation.field).0);
        assert!(places.is_sorted());
        let mut names: Vec<_> = ANNOTATIONS
            .iter()
            .map(|annotation| annotation.name)
            .collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ANNOTATIONS.len());
    }
}
