//! What is compared of an answer: a flat list of named observations, without what cannot be the same. What is left out
//! is listed at the end, with the reason; everything else counts.

use std::collections::BTreeMap;

use http::HeaderMap;
use sluice_integration_tests::client::Answer;
use sluice_integration_tests::echo::{NAME_HEADER, Seen};

use super::ask::Outcome;

/// Name and value of what was observed of one answer.
pub(super) type Observation = BTreeMap<String, String>;

/// Observes the answers to a row's requests.
pub(super) fn observe(outcomes: &[Outcome]) -> Vec<Observation> {
    let mut pods = Pods::default();
    outcomes
        .iter()
        .map(|outcome| match outcome {
            Outcome::Answer(answer) => of_answer(answer, &mut pods),
            Outcome::None(why) => Observation::from([(STATUS.to_owned(), why.clone())]),
        })
        .collect()
}

/// Which of a Service's pods answers is up to chance; whether it is the same one again is not. So they are called by the
/// order in which they answer.
#[derive(Debug, Default)]
struct Pods(Vec<String>);

impl Pods {
    fn name(&mut self, pod: &str) -> String {
        let Some((service, _)) = pod.rsplit_once('-') else {
            return pod.to_owned();
        };
        if !self.0.iter().any(|known| known == pod) {
            self.0.push(pod.to_owned());
        }
        let ofs = self
            .0
            .iter()
            .filter(|known| known.starts_with(&format!("{service}-")));
        let number = ofs.take_while(|known| *known != pod).count();
        format!("{service} {}", ["A", "B", "C"][number])
    }
}

fn of_answer(answer: &Answer, pods: &mut Pods) -> Observation {
    let mut observed = Observation::new();
    observed.insert(STATUS.to_owned(), answer.status.as_u16().to_string());
    let by = match answer.backend() {
        Some(backend) => pods.name(backend),
        None => PROXY.to_owned(),
    };
    let own = by == PROXY;
    observed.insert(BY.to_owned(), by);
    for (name, value) in joined(&answer.headers) {
        let left_out = is_in(&name, RESPONSE_HEADERS) || (own && is_in(&name, OF_OWN_ANSWERS));
        if !left_out {
            observed.insert(format!("response {name}"), mask(&name, &value));
        }
    }
    match answer.seen() {
        Ok(seen) if !own => of_seen("backend saw", &seen, &mut observed),
        _ if own || answer.headers.contains_key("content-encoding") => {}
        _ => {
            observed.insert("response body".to_owned(), described(&answer.body));
        }
    }
    observed
}

fn of_seen(who: &str, seen: &Seen, observed: &mut Observation) {
    let mut add = |what: &str, value: &str| {
        observed.insert(format!("{who} {what}"), value.to_owned());
    };
    add("method", &seen.method);
    add("path", &seen.path);
    add("query", &seen.query);
    add("host", &seen.host);
    add("version", &seen.version);
    add("body", &format!("{} bytes", seen.body_bytes));
    add("SNI", seen.tls.as_deref().unwrap_or("no TLS"));
    for (name, values) in &seen.headers {
        let value = values.join(" | ");
        if let Ok(told) = serde_json::from_str::<Seen>(&value) {
            of_seen("auth server saw", &told, observed);
        } else if !is_left_out(name, &value) {
            observed.insert(format!("{who} {name}"), mask(name, &value));
        }
    }
}

fn joined(headers: &HeaderMap) -> Vec<(String, String)> {
    let of = |name| -> String {
        let values: Vec<_> = headers
            .get_all(name)
            .iter()
            .map(|value| String::from_utf8_lossy(value.as_bytes()))
            .collect();
        values.join(" | ")
    };
    headers
        .keys()
        .map(|name| (name.to_string(), of(name)))
        .collect()
}

/// Hides what is random or a clock's, and keeps that it is there; spells lists in one way.
fn mask(name: &str, value: &str) -> String {
    match name {
        "vary" => listed(value),
        _ if name.starts_with("access-control-") => listed(value),
        "retry-after" => "...".to_owned(),
        "set-cookie" | "cookie" => {
            let pairs = value.split("; ").map(|pair| match pair.split_once('=') {
                Some((key, secret)) if is_random(secret) => format!("{key}=..."),
                Some(("Expires" | "expires", _)) => "Expires=...".to_owned(),
                _ => pair.to_owned(),
            });
            pairs.collect::<Vec<_>>().join("; ")
        }
        _ => value.to_owned(),
    }
}

/// On one line or on several, with spaces or without: a list is the same (RFC 9110, section 5.3).
fn listed(value: &str) -> String {
    let lines = value.split(" | ");
    let items = lines.flat_map(|line| line.split(',')).map(str::trim);
    items.collect::<Vec<_>>().join(", ")
}

fn is_random(text: &str) -> bool {
    text.len() >= 12
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_-=.".contains(&byte))
        && text.bytes().any(|byte| byte.is_ascii_digit())
}

fn described(body: &[u8]) -> String {
    match std::str::from_utf8(body) {
        Ok(text) if body.len() < 100 && !text.contains('\0') => text.trim_end().to_owned(),
        _ => format!("{} bytes", body.len()),
    }
}

fn is_in(name: &str, list: &[(&str, &str)]) -> bool {
    list.iter().any(|(known, _)| *known == name)
}

fn is_left_out(name: &str, value: &str) -> bool {
    let mut all = REQUEST_HEADERS.iter();
    all.any(|(known, only, _)| *known == name && only.is_none_or(|only| only == value))
}

/// The status of an answer, or why there is none.
pub(super) const STATUS: &str = "status";
/// Who made an answer.
pub(super) const BY: &str = "answered by";
/// The proxy itself, and no backend.
pub(super) const PROXY: &str = "the proxy";

/// Headers of answers that are not compared.
const RESPONSE_HEADERS: &[(&str, &str)] = &[
    ("connection", "between two neighbours"),
    (
        "content-length",
        "the body is compared, and differs by the headers that the backend saw",
    ),
    ("date", "a clock"),
    (NAME_HEADER, "compared as who answered"),
    ("keep-alive", "between two neighbours"),
    (
        "proxy-status",
        "Sluice's own: why it answers by itself (RFC 9209)",
    ),
    ("transfer-encoding", "between two neighbours"),
    (
        "x-retry-in",
        "a duration in nanoseconds; Retry-After is compared",
    ),
];

/// Headers that are not compared of what a proxy answers by itself: each words its errors in its own way.
const OF_OWN_ANSWERS: &[(&str, &str)] = &[
    ("cache-control", "Sluice forbids to store its errors"),
    ("content-type", "the text is another one"),
    (
        "x-content-type-options",
        "Go adds it to the text of an error",
    ),
];

/// Headers of requests that are not compared as the backend saw them; with a value, only if they have it.
const REQUEST_HEADERS: &[(&str, Option<&str>, &str)] = &[
    (
        "accept-encoding",
        Some("gzip"),
        "Go asks for it where the client does not, and unpacks it",
    ),
    (
        "user-agent",
        Some("Go-http-client/1.1"),
        "what Traefik calls itself to auth servers",
    ),
    ("x-echo-sequence", None, "the table's own"),
    ("x-forwarded-server", None, "the name of Traefik's machine"),
    ("x-request-id", None, "Sluice gives each request one"),
];

#[cfg(test)]
mod tests {
    use super::mask;

    #[test]
    fn lists_are_the_same_however_they_are_spelled_and_nothing_else_is() {
        for name in ["vary", "access-control-allow-methods"] {
            for spelling in ["a,b", "a, b", "a | b"] {
                assert_eq!(mask(name, spelling), "a, b", "{name}: {spelling}");
            }
            assert_ne!(mask(name, "a"), mask(name, "a, b"), "{name}");
            assert_ne!(mask(name, "b, a"), mask(name, "a, b"), "{name}");
        }
        assert_eq!(mask("x-list", "a,b"), "a,b", "it may be no list");
    }
}
