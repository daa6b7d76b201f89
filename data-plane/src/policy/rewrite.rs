//! Rewrites: the path that the backend sees, and in which header it reads what the client asked for.
//!
//! What comes out is a path again: without that, the request is answered 400 rather than sent on as something else.

use http::uri::PathAndQuery;
use http::{HeaderName, HeaderValue, Request, Uri};
use regex::Regex;

use crate::policy::InvalidPolicy;
use crate::policy::pattern::compile;
use crate::proxy::Cause;

/// A rewrite.
pub(super) enum Rewrite {
    StripPrefix {
        prefixes: Vec<String>,
        whole_elements: bool,
    },
    StripPattern(Vec<Regex>),
    AddPrefix(String),
    Path(String),
    Replacement {
        pattern: Regex,
        replacement: String,
    },
}

impl Rewrite {
    pub(super) fn new(rewrite: &sluice_proto::Rewrite) -> Result<Self, InvalidPolicy> {
        Ok(match rewrite {
            sluice_proto::Rewrite::StripPrefix {
                prefixes,
                whole_elements,
            } => Self::StripPrefix {
                prefixes: prefixes.clone(),
                whole_elements: *whole_elements,
            },
            sluice_proto::Rewrite::StripPattern(patterns) => {
                // Only what stands at the start is a prefix.
                let compiled = patterns
                    .iter()
                    .map(|pattern| compile(&format!("^(?:{pattern})")));
                Self::StripPattern(compiled.collect::<Result<_, _>>()?)
            }
            sluice_proto::Rewrite::AddPrefix(prefix) => Self::AddPrefix(path(prefix)?),
            sluice_proto::Rewrite::Path(replaced) => Self::Path(path(replaced)?),
            sluice_proto::Rewrite::Replacement(replacement) => Self::Replacement {
                pattern: compile(&replacement.pattern)?,
                replacement: replacement.replacement.clone(),
            },
        })
    }

    pub(super) fn admit<B>(&self, request: &mut Request<B>) -> Result<(), Cause> {
        let asked = request.uri().path();
        let changed = match self {
            Self::StripPrefix {
                prefixes,
                whole_elements,
            } => {
                let found = prefixes.iter().find_map(|prefix| {
                    let rest = asked.strip_prefix(prefix.as_str())?;
                    let is_whole =
                        rest.is_empty() || rest.starts_with('/') || prefix.ends_with('/');
                    (is_whole || !whole_elements).then_some((prefix.as_str(), rest))
                });
                found.map(|(prefix, rest)| (with_slash(rest), FORWARDED_PREFIX, prefix.to_owned()))
            }
            Self::StripPattern(patterns) => {
                let found = patterns.iter().find_map(|pattern| pattern.find(asked));
                found.map(|found| {
                    let (prefix, rest) = asked.split_at(found.end());
                    (with_slash(rest), FORWARDED_PREFIX, prefix.to_owned())
                })
            }
            Self::AddPrefix(prefix) => {
                let joined = format!("{}{asked}", prefix.trim_end_matches('/'));
                return set_path(request, &joined);
            }
            Self::Path(path) => Some((path.clone(), REPLACED_PATH, asked.to_owned())),
            Self::Replacement {
                pattern,
                replacement,
            } => pattern.is_match(asked).then(|| {
                let replaced = pattern.replace_all(asked, replacement).into_owned();
                (replaced, REPLACED_PATH, asked.to_owned())
            }),
        };
        let Some((changed, header, value)) = changed else {
            return Ok(());
        };
        set_path(request, &changed)?;
        // It was a part of a request's path.
        if let Ok(value) = HeaderValue::try_from(value) {
            request.headers_mut().insert(header, value);
        }
        Ok(())
    }
}

/// Puts another path in the place of the one that was asked for; the query stays.
fn set_path<B>(request: &mut Request<B>, path: &str) -> Result<(), Cause> {
    let text = match request.uri().query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    let is_path = path.starts_with('/') && !path.contains(['?', '#']);
    let changed = PathAndQuery::try_from(text).ok().filter(|_| is_path);
    let mut parts = request.uri().clone().into_parts();
    parts.path_and_query = Some(changed.ok_or(Cause::PathImpossible)?);
    *request.uri_mut() = Uri::from_parts(parts).map_err(|_| Cause::PathImpossible)?;
    Ok(())
}

fn with_slash(rest: &str) -> String {
    if rest.starts_with('/') {
        rest.to_owned()
    } else {
        format!("/{rest}")
    }
}

fn path(written: &str) -> Result<String, InvalidPolicy> {
    let valid = written.starts_with('/')
        && !written.contains(['?', '#'])
        && PathAndQuery::try_from(written).is_ok();
    valid
        .then(|| written.to_owned())
        .ok_or_else(|| InvalidPolicy::Path(written.to_owned()))
}

const FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");
const REPLACED_PATH: HeaderName = HeaderName::from_static("x-replaced-path");
