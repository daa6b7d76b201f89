//! `stripPrefix`, `stripPrefixRegex`, `addPrefix`, `replacePath` and `replacePathRegex`: the path that the backend sees.

use serde::Deserialize;
use serde_json::Value;
use sluice_proto::{PolicyAction, Replacement, Rewrite};

use crate::traefik::kept::{Meaning, Spec, Wrong};
use crate::traefik::value::Pattern;
use crate::value::is_path;

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct StripPrefixSpec {
    prefixes: Vec<String>,
    // The result begins with a slash in any case.
    #[serde(rename = "forceSlash")]
    _force_slash: Option<Value>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct StripPrefixRegexSpec {
    regex: Vec<Pattern>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct AddPrefixSpec {
    prefix: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ReplacePathSpec {
    path: String,
}

#[derive(Deserialize)]
struct ReplacePathRegexSpec {
    regex: Pattern,
    #[serde(default)]
    replacement: String,
}

pub(super) fn strip_prefix(spec: &mut Spec<'_>) -> Result<Meaning, Wrong> {
    let read: StripPrefixSpec = spec.read()?;
    let mut prefixes = Vec::new();
    for (index, written) in read.prefixes.iter().enumerate() {
        let field = format!("prefixes[{index}]");
        let written = written.trim();
        if written.starts_with('/') {
            prefixes.push(path(&field, written)?);
        } else {
            spec.differs(
                &field,
                "no path begins with it, for it does not begin with a slash; it is passed over",
                "Begin it with a slash",
            );
        }
    }
    if prefixes.is_empty() {
        return Err(Wrong::new(
            "prefixes",
            "there is none that a path could begin with",
        ));
    }
    let whole_elements = false;
    Ok(rewrites(
        spec,
        Rewrite::StripPrefix {
            prefixes,
            whole_elements,
        },
    ))
}

pub(super) fn strip_prefix_regex(spec: &mut Spec<'_>) -> Result<Meaning, Wrong> {
    let read: StripPrefixRegexSpec = spec.read()?;
    if read.regex.is_empty() {
        return Err(Wrong::new("regex", "it is empty"));
    }
    let patterns = read.regex.into_iter().map(|pattern| pattern.0).collect();
    Ok(rewrites(spec, Rewrite::StripPattern(patterns)))
}

pub(super) fn add_prefix(spec: &mut Spec<'_>) -> Result<Meaning, Wrong> {
    let read: AddPrefixSpec = spec.read()?;
    let prefix = path("prefix", &read.prefix)?;
    Ok(rewrites(spec, Rewrite::AddPrefix(prefix)))
}

pub(super) fn replace_path(spec: &mut Spec<'_>) -> Result<Meaning, Wrong> {
    let read: ReplacePathSpec = spec.read()?;
    let path = path("path", &read.path)?;
    Ok(rewrites(spec, Rewrite::Path(path)))
}

pub(super) fn replace_path_regex(spec: &mut Spec<'_>) -> Result<Meaning, Wrong> {
    let read: ReplacePathRegexSpec = spec.read()?;
    Ok(rewrites(
        spec,
        Rewrite::Replacement(Replacement {
            pattern: read.regex.0,
            replacement: read.replacement.trim().to_owned(),
        }),
    ))
}

fn rewrites(spec: &Spec<'_>, rewrite: Rewrite) -> Meaning {
    spec.means(PolicyAction::Rewrite(rewrite))
}

/// Returns what is put into a request's path, with a slash before it.
fn path(field: &str, written: &str) -> Result<String, Wrong> {
    match written {
        "" => Err(Wrong::new(field, "it is empty")),
        written if !is_path(written) => Err(Wrong::new(
            field,
            format!("{written:?} has characters that no path has unless they are encoded"),
        )),
        written if written.starts_with('/') => Ok(written.to_owned()),
        written => Ok(format!("/{written}")),
    }
}
