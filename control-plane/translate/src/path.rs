//! Where a path of a rule is placed: as it is written if that can be, else as near to it as possible.
//!
//! It does not decide what a route does: a path that comes with a [`Fault`] answers 503 there, so that no less specific
//! route takes its requests.

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use sluice_proto::{InvalidPath, PathMatch};

use crate::problem::{Fault, ProblemCode};

/// A path of a rule, placed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Placed {
    pub(crate) path: PathMatch,
    /// Why it cannot be placed as it is written, and which field is at fault.
    pub(crate) fault: Option<(&'static str, Fault)>,
}

/// Places a path of a rule; one of no particular type is a prefix, unless such are exact in its Ingress.
pub(crate) fn place(path: Option<&str>, path_type: &str, are_exact: bool) -> Placed {
    let written = path.unwrap_or_default();
    match path_type {
        "Exact" => placed(Shape::Exact, written),
        "Prefix" => placed(Shape::Prefix, written),
        // "If unspecified, the path defaults to a catch all"; else treated "identically to Prefix".
        "ImplementationSpecific" if written.is_empty() => placed(Shape::Prefix, "/"),
        "ImplementationSpecific" if are_exact => placed(Shape::Exact, written),
        "ImplementationSpecific" if written.contains(PATTERN) => pattern(written),
        "ImplementationSpecific" => placed(Shape::Prefix, written),
        unknown => {
            let fault = Fault::new(
                ProblemCode::PathTypeUnknown,
                format!("the path type {unknown:?} is none; the path answers 503"),
                "Use Exact, Prefix or ImplementationSpecific",
            );
            Placed {
                path: nearest(Shape::Prefix, written),
                fault: Some(("pathType", fault)),
            }
        }
    }
}

#[derive(Clone, Copy)]
enum Shape {
    Exact,
    Prefix,
}

fn placed(shape: Shape, written: &str) -> Placed {
    let error = match shape_of(shape, written) {
        Ok(path) => return Placed { path, fault: None },
        Err(error) => error,
    };
    let path = nearest(shape, written);
    let fault = Fault::new(
        ProblemCode::PathInvalid,
        format!("the path {error}; {path} answers 503 in its place"),
        match error {
            InvalidPath::NoSlash(_) => format!("Write {:?}", format!("/{written}")),
            InvalidPath::Sequence { .. } => {
                "Write the path as requests have it after normalisation: without \
                empty, dot or encoded elements, query and fragment"
                    .to_owned()
            }
        },
    );
    Placed {
        path,
        fault: Some(("path", fault)),
    }
}

fn pattern(written: &str) -> Placed {
    // What a pattern can match begins with the elements before the first special character.
    let literal = written.split(PATTERN).next().unwrap_or_default();
    let rest = written.get(literal.len()..).unwrap_or_default();
    let elements = if WHOLE_ELEMENT.iter().any(|end| rest.starts_with(end)) {
        literal
    } else {
        literal
            .rsplit_once('/')
            .map_or("", |(elements, _)| elements)
    };
    let path = nearest(Shape::Prefix, elements);
    let fault = Fault::new(
        ProblemCode::PathPatternUnsupported,
        format!(
            "the path {written:?} is a pattern, which Sluice does not support; {path} answers 503 in its place"
        ),
        "Use Exact or Prefix paths",
    );
    Placed {
        path,
        fault: Some(("path", fault)),
    }
}

/// Returns the match that is nearest to a path that cannot be placed as it is written.
fn nearest(shape: Shape, written: &str) -> PathMatch {
    // "%2F" is a slash that was hidden; what follows "?" or "#" is not part of a path.
    let decoded = written.replace("%2f", "/").replace("%2F", "/");
    let path = decoded.split(['?', '#']).next().unwrap_or_default();
    let mut elements = Vec::new();
    for element in path.split('/') {
        match element {
            "" | "." => {}
            ".." => {
                elements.pop();
            }
            element => elements.push(element),
        }
    }
    let is_root = elements.is_empty();
    let path = format!("/{}", elements.join("/"));
    // Something broken must not take a whole host: what comes down to the root takes just the root.
    let shape = if is_root && !matches!(written, "" | "/") {
        Shape::Exact
    } else {
        shape
    };
    shape_of(shape, &path).unwrap_or_else(|_| PathMatch::Exact("/".into()))
}

fn shape_of(shape: Shape, path: &str) -> Result<PathMatch, InvalidPath> {
    // "It can contain characters disallowed from the conventional path part of a URL as defined by RFC 3986": requests
    // have them encoded, and paths are compared byte by byte.
    let path = utf8_percent_encode(path, ENCODED).to_string();
    match shape {
        Shape::Exact => PathMatch::exact(&path),
        Shape::Prefix => PathMatch::prefix(&path),
    }
}

/// The path percent-encode set of the URL standard, but for `?` and `#`, which end a path.
const ENCODED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'`')
    .add(b'{')
    .add(b'}');

/// Characters that stand in patterns (regular expressions, globs) and in hardly any path.
const PATTERN: [char; 10] = ['(', ')', '[', ']', '{', '}', '*', '^', '|', '$'];

/// What may follow the end of an element in a pattern, as in `/api(/|$)(.*)`.
const WHOLE_ELEMENT: [&str; 2] = ["(/", "$"];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_path_that_can_be_placed_is() {
        for (path_type, path, expected) in [
            ("Exact", "/foo/", "Exact /foo/"),
            ("Prefix", "/foo/", "Prefix /foo"),
            ("Prefix", "/a(b)", "Prefix /a(b)"),
            ("ImplementationSpecific", "", "Prefix /"),
            ("ImplementationSpecific", "/foo+bar", "Prefix /foo+bar"),
            ("Exact", "/ä b", "Exact /%C3%A4%20b"),
            ("Prefix", "/%C3%A4", "Prefix /%C3%A4"),
        ] {
            let placed = place(Some(path), path_type, false);
            assert_eq!(placed.path.to_string(), expected, "{path_type} {path}");
            assert_eq!(placed.fault, None);
        }
    }

    #[test]
    fn only_a_path_of_no_particular_type_may_be_made_exact() {
        for (path_type, path, expected) in [
            ("ImplementationSpecific", "/foo", "Exact /foo"),
            ("ImplementationSpecific", "/foo(b)", "Exact /foo(b)"),
            ("ImplementationSpecific", "", "Prefix /"),
            ("Prefix", "/foo", "Prefix /foo"),
        ] {
            let placed = place(Some(path), path_type, true);
            assert_eq!(placed.path.to_string(), expected, "{path_type} {path}");
            assert_eq!(placed.fault, None);
        }
    }

    #[test]
    fn a_path_that_cannot_claims_what_is_nearest() {
        for (path_type, path, expected, code) in [
            ("Prefix", "foo", "Prefix /foo", ProblemCode::PathInvalid),
            ("Exact", "foo", "Exact /foo", ProblemCode::PathInvalid),
            ("Prefix", "", "Prefix /", ProblemCode::PathInvalid),
            ("Prefix", "/a//b", "Prefix /a/b", ProblemCode::PathInvalid),
            (
                "Prefix",
                "/a/./b/../c",
                "Prefix /a/c",
                ProblemCode::PathInvalid,
            ),
            ("Prefix", "/a%2Fb", "Prefix /a/b", ProblemCode::PathInvalid),
            ("Prefix", "/a?b=c", "Prefix /a", ProblemCode::PathInvalid),
            ("Prefix", "//", "Exact /", ProblemCode::PathInvalid),
            ("Prefix", "/a/..", "Exact /", ProblemCode::PathInvalid),
            ("Regex", "/a", "Prefix /a", ProblemCode::PathTypeUnknown),
            ("", "a", "Prefix /a", ProblemCode::PathTypeUnknown),
            (
                "ImplementationSpecific",
                "/api/v1/(.*)",
                "Prefix /api/v1",
                ProblemCode::PathPatternUnsupported,
            ),
            (
                "ImplementationSpecific",
                "/api(/|$)(.*)",
                "Prefix /api",
                ProblemCode::PathPatternUnsupported,
            ),
            (
                "ImplementationSpecific",
                "/a/b[0-9]+",
                "Prefix /a",
                ProblemCode::PathPatternUnsupported,
            ),
            (
                "ImplementationSpecific",
                "/*",
                "Prefix /",
                ProblemCode::PathPatternUnsupported,
            ),
        ] {
            let placed = place(Some(path), path_type, false);
            assert_eq!(placed.path.to_string(), expected, "{path_type} {path}");
            assert_eq!(placed.fault.unwrap().1.code, code, "{path_type} {path}");
        }
    }
}
