//! Reads one YAML document into a typed value, and says where it fails: line and field.
//!
//! It does not know what it reads. No error quotes the text: that may hold a key.

use serde::de::DeserializeOwned;
use serde_saphyr::{DefaultMessageFormatter, MessageFormatter as _};

/// Where and why a document cannot be read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Unreadable {
    /// Counted from 1.
    pub(crate) line: usize,
    /// Such as `spec.rules[0].host`; empty for the document as a whole.
    pub(crate) field: String,
    pub(crate) reason: String,
}

/// Returns the value of the one document in `text`, and the fields in it that the type does not know.
pub(crate) fn read<T: DeserializeOwned>(text: &str) -> Result<(T, Vec<String>), Unreadable> {
    let mut field = String::new();
    let mut unknown = Vec::new();
    let value = serde_saphyr::with_deserializer_from_str_with_options(text, options(), |yaml| {
        let mut ignored = |path: serde_ignored::Path<'_>| unknown.push(path_text(&path));
        let yaml = serde_ignored::Deserializer::new(yaml, &mut ignored);
        serde_path_to_error::deserialize(yaml).map_err(|error| {
            field = error.path().to_string();
            error.into_inner()
        })
    });
    match value {
        Ok(value) => Ok((value, unknown)),
        Err(error) => Err(Unreadable {
            line: line(&error),
            field: field_text(field),
            reason: reason(&error),
        }),
    }
}

/// Returns the value of the one document in `text`, which may ask for the lines of keys, too. Of plain scalars, `y`, `no`
/// and the like are texts.
pub(crate) fn read_with_lines<T: DeserializeOwned>(text: &str) -> Option<T> {
    let mut options = options();
    options.strict_booleans = true;
    serde_saphyr::from_str_with_options(text, options).ok()
}

/// Returns the same as [`read`] of a value that was read already; its lines are not known any more.
pub(crate) fn read_value<T: DeserializeOwned>(
    value: &serde_json::Value,
) -> Result<(T, Vec<String>), Unreadable> {
    let mut unknown = Vec::new();
    let mut ignored = |path: serde_ignored::Path<'_>| unknown.push(path_text(&path));
    let deserializer = serde_ignored::Deserializer::new(value, &mut ignored);
    match serde_path_to_error::deserialize(deserializer) {
        Ok(value) => Ok((value, unknown)),
        Err(error) => Err(Unreadable {
            line: 1,
            field: field_text(error.path().to_string()),
            reason: error.inner().to_string(),
        }),
    }
}

/// Returns why, in words that do not speak of the library's options.
fn reason(error: &serde_saphyr::Error) -> String {
    let message = DefaultMessageFormatter.format_message(error.without_snippet());
    if message.contains("budget") {
        return "it is nested or repeated beyond all measure".to_owned();
    }
    let said = message.split(", set DuplicateKeyPolicy").next();
    said.unwrap_or(&message).replace(char::is_control, " ")
}

fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        with_snippet: false,
        budget: serde_saphyr::budget! {
            max_nodes: MAX_NODES,
            max_events: MAX_EVENTS,
        },
    }
}

/// Returns the line that an error is in, counted from 1.
fn line(error: &serde_saphyr::Error) -> usize {
    let line = error.location().map_or(1, |location| location.line());
    usize::try_from(line).unwrap_or(usize::MAX).max(1)
}

/// Returns the path of a field; empty for the document as a whole.
fn field_text(path: String) -> String {
    if path == "." || path == "?" {
        String::new()
    } else {
        path
    }
}

fn path_text(path: &serde_ignored::Path<'_>) -> String {
    use serde_ignored::Path;
    match path {
        Path::Root => String::new(),
        Path::Seq { parent, index } => format!("{}[{index}]", path_text(parent)),
        Path::Map { parent, key } => match path_text(parent) {
            parent if parent.is_empty() => key.clone(),
            parent => format!("{parent}.{key}"),
        },
        Path::Some { parent }
        | Path::NewtypeStruct { parent }
        | Path::NewtypeVariant { parent } => path_text(parent),
    }
}

// What an API server of a large cluster may print as one list; the number of bytes is bounded by whoever has the text.
const MAX_NODES: usize = 10_000_000;
const MAX_EVENTS: usize = 40_000_000;
