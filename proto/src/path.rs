//! Which paths a route takes.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use crate::error::InvalidResource;
use crate::wire;

/// Which paths a route takes.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum PathMatch {
    /// The same bytes; starts with a slash.
    Exact(Arc<str>),
    /// This path and what is below it, element by element. Without a final slash: the root is empty.
    ///
    /// "A path element refers to the list of labels in the path split by the `/` separator. A request is a match for
    /// path p if every p is an element-wise prefix of p of the request path."
    Prefix(Arc<str>),
    /// Whatever no other route of the host takes.
    Default,
}

impl PathMatch {
    /// Returns the match for exactly this path.
    ///
    /// # Errors
    ///
    /// If it is no path that a rule may have.
    pub fn exact(path: &str) -> Result<Self, InvalidPath> {
        check(path)?;
        Ok(Self::Exact(normalised_path(path).into()))
    }

    /// Returns the match for this path and what is below it. A final slash does not matter.
    ///
    /// # Errors
    ///
    /// If it is no path that a rule may have.
    pub fn prefix(path: &str) -> Result<Self, InvalidPath> {
        check(path)?;
        let path = normalised_path(path);
        Ok(Self::Prefix(path.strip_suffix('/').unwrap_or(&path).into()))
    }

    /// Returns whether a request's path is meant.
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        match self {
            Self::Exact(exact) => **exact == *path,
            Self::Prefix(prefix) => path
                .strip_prefix(&**prefix)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
            Self::Default => true,
        }
    }

    pub(crate) fn parse(message: Option<wire::PathMatch>) -> Result<Self, InvalidResource> {
        let message = message.ok_or(InvalidResource::Missing("path"))?;
        match message.kind() {
            wire::path_match::Kind::Unspecified => Err(InvalidResource::UnknownValue {
                field: "path.kind",
                value: message.kind,
            }),
            wire::path_match::Kind::Exact => {
                Self::exact(&message.path).map_err(InvalidResource::Path)
            }
            wire::path_match::Kind::Prefix => {
                Self::prefix(&message.path).map_err(InvalidResource::Path)
            }
            wire::path_match::Kind::Default => Ok(Self::Default),
        }
    }
}

impl From<&PathMatch> for wire::PathMatch {
    fn from(path: &PathMatch) -> Self {
        let (kind, path) = match path {
            PathMatch::Exact(path) => (wire::path_match::Kind::Exact, path.to_string()),
            PathMatch::Prefix(path) if path.is_empty() => {
                (wire::path_match::Kind::Prefix, "/".to_owned())
            }
            PathMatch::Prefix(path) => (wire::path_match::Kind::Prefix, path.to_string()),
            PathMatch::Default => (wire::path_match::Kind::Default, String::new()),
        };
        Self {
            kind: kind.into(),
            path,
        }
    }
}

impl fmt::Display for PathMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(path) => write!(f, "Exact {path}"),
            Self::Prefix(path) if path.is_empty() => f.write_str("Prefix /"),
            Self::Prefix(path) => write!(f, "Prefix {path}"),
            Self::Default => f.write_str("Default"),
        }
    }
}

/// Returns a request's path as routes compare it and backends get it: whoever guards a path guards all of its spellings.
///
/// RFC 3986, section 6.2.2: escapes of unreserved characters are decoded, other escapes are in upper case, and dot segments
/// are removed; so are empty elements, which many servers pass over. What does not start with a slash stays as it is.
#[must_use]
pub fn normalised_path(path: &str) -> Cow<'_, str> {
    let is_normal = !path.contains('%') && !path.contains("//") && !path.contains("/.");
    if is_normal || !path.starts_with('/') {
        return Cow::Borrowed(path);
    }
    let decoded = decode_unreserved(path);
    let mut elements: Vec<&str> = Vec::new();
    let mut ends_with_slash = false;
    for element in decoded.split('/').skip(1) {
        ends_with_slash = matches!(element, "" | "." | "..");
        match element {
            "" | "." => {}
            ".." => drop(elements.pop()),
            element => elements.push(element),
        }
    }
    let mut normal = String::with_capacity(decoded.len());
    for element in &elements {
        normal.push('/');
        normal.push_str(element);
    }
    if ends_with_slash || elements.is_empty() {
        normal.push('/');
    }
    if normal == path {
        return Cow::Borrowed(path);
    }
    Cow::Owned(normal)
}

// "For consistency, percent-encoded octets in the ranges of ALPHA, DIGIT, hyphen, period, underscore, or tilde should not be
// created by URI producers and, when found in a URI, should be decoded to their corresponding unreserved characters by URI
// normalizers."
fn decode_unreserved(path: &str) -> String {
    let mut decoded = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(at) = rest.find('%') {
        let (before, escape) = rest.split_at(at);
        decoded.push_str(before);
        let digits = escape.get(1..3);
        let digits = digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => {
                decoded.push(char::from(byte));
                rest = &escape[3..];
            }
            Some(byte) => {
                decoded.push_str(&format!("%{byte:02X}"));
                rest = &escape[3..];
            }
            None => {
                decoded.push('%');
                rest = &escape[1..];
            }
        }
    }
    decoded.push_str(rest);
    decoded
}

/// Why a text is not a path that a rule may have.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum InvalidPath {
    /// It does not start with a slash.
    #[error("{0:?} does not start with a slash")]
    NoSlash(String),
    /// It holds a sequence that a normalised path has not, so that no request could ever match it, or that two
    /// programs read differently.
    #[error("{path:?} contains {sequence:?}")]
    Sequence {
        /// The path.
        path: String,
        /// What it may not contain.
        sequence: &'static str,
    },
}

// The rules of the API server for Exact and Prefix; the `files` source has no API server before it.
fn check(path: &str) -> Result<(), InvalidPath> {
    if !path.starts_with('/') {
        return Err(InvalidPath::NoSlash(path.to_owned()));
    }
    let sequence = (FORBIDDEN.into_iter())
        .find(|sequence| path.contains(sequence))
        .or_else(|| FORBIDDEN_ENDS.into_iter().find(|end| path.ends_with(end)));
    match sequence {
        Some(sequence) => Err(InvalidPath::Sequence {
            path: path.to_owned(),
            sequence,
        }),
        None => Ok(()),
    }
}

const FORBIDDEN: [&str; 7] = ["//", "/./", "/../", "%2f", "%2F", "?", "#"];
const FORBIDDEN_ENDS: [&str; 2] = ["/..", "/."];

#[cfg(test)]
mod tests {
    use super::*;

    // The table of the Kubernetes documentation ("Examples" under "Path types").
    #[test]
    fn as_the_kubernetes_table_has_it() {
        let prefix = |path| PathMatch::prefix(path).unwrap();
        let exact = |path| PathMatch::exact(path).unwrap();
        for (path, request, expected) in [
            (prefix("/"), "/anything", true),
            (exact("/foo"), "/foo", true),
            (exact("/foo"), "/bar", false),
            (exact("/foo"), "/foo/", false),
            (exact("/foo/"), "/foo", false),
            (prefix("/foo"), "/foo", true),
            (prefix("/foo"), "/foo/", true),
            (prefix("/foo/"), "/foo", true),
            (prefix("/foo/"), "/foo/", true),
            (prefix("/aaa/bb"), "/aaa/bbb", false),
            (prefix("/aaa/bbb"), "/aaa/bbb", true),
            (prefix("/aaa/bbb/"), "/aaa/bbb", true),
            (prefix("/aaa/bbb"), "/aaa/bbb/", true),
            (prefix("/aaa/bbb"), "/aaa/bbb/ccc", true),
            (prefix("/aaa/bbb"), "/aaa/bbbxyz", false),
        ] {
            assert_eq!(path.matches(request), expected, "{path} {request}");
        }
    }

    #[test]
    fn all_spellings_of_a_path_are_one() {
        for (path, normal) in [
            ("/admin", "/admin"),
            ("/%61dmin", "/admin"),
            ("//admin", "/admin"),
            ("/./admin", "/admin"),
            ("/x/../admin", "/admin"),
            ("/x/%2e%2E/admin", "/admin"),
            ("/x/.%2e/admin", "/admin"),
            ("/../../admin/", "/admin/"),
            ("/admin/.", "/admin/"),
            ("/admin/x/..", "/admin/"),
            ("/a%2fb", "/a%2Fb"),
            ("/a%2Fb//", "/a%2Fb/"),
            ("/%7Euser/%c3%a4", "/~user/%C3%A4"),
            ("/100%", "/100%"),
            ("/%+1", "/%+1"),
            ("/%g1%2", "/%g1%2"),
            ("/...", "/..."),
            ("/.well-known/x", "/.well-known/x"),
            ("/..", "/"),
            ("*", "*"),
            ("", ""),
        ] {
            assert_eq!(normalised_path(path), normal, "{path}");
            let again = normalised_path(normal);
            assert_eq!(again, normal, "{path} twice");
        }
    }

    #[test]
    fn what_the_api_server_refuses_is_refused() {
        for path in [
            "", "foo", "/a//b", "/a/./b", "/a/../b", "/a/..", "/a/.", "/a%2Fb", "/a?b",
        ] {
            assert!(PathMatch::prefix(path).is_err(), "{path}");
        }
    }
}
