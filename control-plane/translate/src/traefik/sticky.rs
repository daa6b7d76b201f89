//! `service.sticky.cookie` on a Service: a cookie by which a client comes back to the endpoint that it was with.
//!
//! It does not choose an endpoint (data planes do). Nobody is protected by it: where an annotation of it is broken, routes are
//! served without a cookie.

use std::collections::BTreeMap;

use sha1::{Digest, Sha1};
use sluice_proto::{ObjectReference, SameSite, Sticky};

use crate::problem::{Fault, ProblemCode, Problems};
use crate::traefik::annotations::{Annotations, switch};
use crate::traefik::kept::normalised;

/// The annotations of the cookie that an object has, by what is behind `service.sticky.cookie` in their keys.
type Fields<'a> = BTreeMap<String, (&'a str, &'a str)>;

/// Why there is no cookie: in the annotation of this key.
struct Broken<'a> {
    key: &'a str,
    reason: &'static str,
}

/// Returns the cookie that a Service asks for, and reports one that cannot be. `service_id` gives it a name if the Service
/// does not.
pub(crate) fn sticky(
    annotations: Option<&Annotations>,
    service_id: &str,
    object: &ObjectReference,
    problems: &mut Problems,
) -> Option<Sticky> {
    read(&fields(annotations), service_id).unwrap_or_else(|Broken { key, reason }| {
        let fault = Fault::new(
            ProblemCode::AnnotationMalformed,
            format!("{reason}; the routes to it are served without a cookie"),
            "Correct the annotation",
        );
        problems.add(fault.at(object, format!("metadata.annotations[{key}]")));
        None
    })
}

/// Returns whether an annotation of this name (without prefix, in lower case) is one of the cookie's.
pub(crate) fn is_sticky(name: &str) -> bool {
    let field = name.strip_prefix("service.sticky.cookie");
    field.is_some_and(|field| FIELDS.contains(&field))
}

/// Returns the id of what an Ingress names as its backend: with its port, by number or name, as written there.
pub(crate) fn service_id(namespace: &str, service: &str, port: &str) -> String {
    let id = normalised(&format!("{namespace}-{service}-{port}"));
    format!("{id}@kubernetes")
}

fn fields(annotations: Option<&Annotations>) -> Fields<'_> {
    let all = annotations.into_iter().flatten();
    let fields = all.filter_map(|(key, value)| {
        let field = key.to_ascii_lowercase();
        let field = field.strip_prefix(COOKIE)?;
        (FIELDS.contains(&field)).then(|| (field.to_owned(), (key.as_str(), value.trim())))
    });
    fields.collect()
}

fn read<'a>(fields: &Fields<'a>, service_id: &str) -> Result<Option<Sticky>, Broken<'a>> {
    // Any of its fields asks for it; this one may ask for none.
    let is_asked_for = match fields.get("") {
        Some((_, value)) if value.eq_ignore_ascii_case("true") || value.is_empty() => true,
        Some((_, value)) if value.eq_ignore_ascii_case("false") => false,
        Some((key, _)) => {
            let reason = "it is neither true nor false";
            return Err(Broken { key, reason });
        }
        None => !fields.is_empty(),
    };
    if !is_asked_for {
        return Ok(None);
    }
    let name = fields.get(".name").filter(|(_, name)| !name.is_empty());
    Ok(Some(Sticky {
        cookie: name.map_or_else(|| default_name(service_id), |(_, name)| token(name)),
        secure: value(fields, ".secure", "it is neither true nor false", switch)?.unwrap_or(false),
        http_only: value(fields, ".httponly", "it is neither true nor false", switch)?
            .unwrap_or(false),
        same_site: value(
            fields,
            ".samesite",
            "it is not none, lax or strict",
            same_site,
        )?
        .unwrap_or_default(),
        max_age_s: value(fields, ".maxage", "it is no number of seconds", |text| {
            text.parse().ok()
        })?
        .unwrap_or(0),
        path: value(fields, ".path", "it is no path", |text| {
            (text.starts_with('/') && is_plain(text)).then(|| text.to_owned())
        })?
        .unwrap_or_else(|| "/".to_owned()),
        domain: value(fields, ".domain", "it is no domain", |text| {
            is_plain(text).then(|| text.to_owned())
        })?,
    }))
}

/// Returns what an annotation says; `None` if there is none, or it is empty.
fn value<'a, T>(
    fields: &Fields<'a>,
    field: &str,
    reason: &'static str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<T>, Broken<'a>> {
    match fields.get(field) {
        None | Some((_, "")) => Ok(None),
        Some((key, text)) => parse(text).map(Some).ok_or(Broken { key, reason }),
    }
}

fn same_site(text: &str) -> Option<SameSite> {
    let values = [
        ("none", SameSite::None),
        ("lax", SameSite::Lax),
        ("strict", SameSite::Strict),
    ];
    let mut values = values.into_iter();
    let found = values.find(|(name, _)| text.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value)
}

/// What stands in Set-Cookie must not end one attribute and begin another.
fn is_plain(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_graphic() && byte != b';')
}

/// The same name as Traefik's, so that a client's cookie is not doubled while both serve.
fn default_name(service_id: &str) -> String {
    let hash = Sha1::digest(format!("_TRAEFIK_BACKEND_{service_id}"));
    let hex = hash.iter().map(|byte| format!("{byte:02x}"));
    let name = hex.fold("_".to_owned(), |name, byte| name + &byte);
    name.chars().take(NAME_LENGTH).collect()
}

/// Returns a name with everything replaced that no cookie's name may have.
fn token(name: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^`|~".contains(c);
    name.chars()
        .map(|c| if allowed(c) { c } else { '_' })
        .collect()
}

const COOKIE: &str = "traefik.ingress.kubernetes.io/service.sticky.cookie";
const FIELDS: [&str; 8] = [
    "",
    ".name",
    ".secure",
    ".httponly",
    ".samesite",
    ".maxage",
    ".path",
    ".domain",
];
const NAME_LENGTH: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_name_is_that_of_traefik() {
        let id = service_id("table", "sticky", "http");
        assert_eq!(id, "table-sticky-http@kubernetes");
        assert_eq!(default_name(&id), "_16d53");
        assert_eq!(service_id("a", "b.c", "80"), "a-b-c-80@kubernetes");
    }

    #[test]
    fn a_name_is_made_a_token() {
        assert_eq!(token("my cookie;é"), "my_cookie__");
    }
}
