//! Where the objects of a text and their fields are: for whoever shows a problem to the author of the text.
//!
//! It does not say what is wrong, and shows no value but those that name an object.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;
use sluice_proto::ObjectReference;

use crate::parse::documents::{Document, documents};
use crate::parse::reader::Header;
use crate::yaml;

/// Where an object of a text and its fields are. `Debug` does not show the fields.
pub struct Place {
    /// The object.
    pub object: ObjectReference,
    /// Which document of the text, counted as in [`crate::DocumentProblem::document`].
    pub document: usize,
    /// The line of the text in which the document starts, counted from 1.
    start: usize,
    fields: Fields,
}

impl Place {
    /// Returns the line of the text in which a field such as `spec.rules[0].host` is, counted from 1; of a field that is
    /// not there, that of the nearest one that holds it, and at last that of the object.
    #[must_use]
    pub fn line(&self, field: &str) -> usize {
        let line = self.fields.line(field).or_else(|| self.fields.first_line());
        self.start + line.unwrap_or(1).saturating_sub(1)
    }
}

/// Returns the place of each object of a text, in the order of the text. What cannot be parsed has none.
#[must_use]
pub fn places(yaml: &str) -> Vec<Place> {
    documents(yaml).into_iter().flat_map(in_document).collect()
}

fn in_document(document: Document<'_>) -> Vec<Place> {
    let Some(fields) = yaml::read_with_lines(document.text) else {
        return Vec::new();
    };
    let objects = match fields {
        Fields::Mapping(mut entries) if header(&entries).is_list() => {
            let items = entries.iter().position(|entry| entry.key == "items");
            match items.map(|items| entries.swap_remove(items).fields) {
                Some(Fields::Sequence(items)) => items.into_iter().map(|item| item.value).collect(),
                _ => Vec::new(),
            }
        }
        fields => vec![fields],
    };
    let place = |fields: Fields| match &fields {
        Fields::Mapping(entries) => Some(Place {
            object: header(entries).reference(),
            document: document.number,
            start: document.line,
            fields,
        }),
        Fields::Sequence(_) | Fields::Scalar(_) => None,
    };
    objects.into_iter().filter_map(place).collect()
}

fn header(entries: &[Entry]) -> Header {
    let metadata = match find(entries, "metadata").map(|entry| &entry.fields) {
        Some(Fields::Mapping(entries)) => entries.as_slice(),
        _ => &[],
    };
    let text = |entries, key| match &find(entries, key)?.fields {
        Fields::Scalar(text) => text.clone(),
        Fields::Mapping(_) | Fields::Sequence(_) => None,
    };
    Header::new(
        text(entries, "apiVersion").unwrap_or_default(),
        text(entries, "kind").unwrap_or_default(),
        text(metadata, "name"),
        text(metadata, "namespace"),
    )
}

fn find<'a>(entries: &'a [Entry], key: &str) -> Option<&'a Entry> {
    entries.iter().find(|entry| entry.key == key)
}

// What a Secret holds must not reach a log through `{:?}`.
impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Place({}, line {})", self.object, self.line(""))
    }
}

/// A value, with the lines of all that is in it, counted from 1.
enum Fields {
    Mapping(Vec<Entry>),
    Sequence(Vec<Spanned<Self>>),
    /// Its text, if it is one.
    Scalar(Option<String>),
}

struct Entry {
    key: String,
    line: usize,
    fields: Fields,
}

impl Fields {
    fn first_line(&self) -> Option<usize> {
        match self {
            Self::Mapping(entries) => entries.iter().map(|entry| entry.line).min(),
            Self::Sequence(_) | Self::Scalar(_) => None,
        }
    }

    /// Returns the line of a field below this value, or of the nearest one above it.
    fn line(&self, field: &str) -> Option<usize> {
        match self {
            Self::Mapping(entries) => {
                // A key may hold dots, with or without brackets around it: the longest that fits is meant.
                let fitting = entries
                    .iter()
                    .filter_map(|entry| Some((entry, after_key(field, &entry.key)?)));
                let (entry, rest) = fitting.max_by_key(|(entry, _)| entry.key.len())?;
                entry.fields.line(rest).or(Some(entry.line))
            }
            Self::Sequence(items) => {
                let (index, rest) = field.strip_prefix('[')?.split_once(']')?;
                let item = items.get(index.parse::<usize>().ok()?)?;
                let below = item.value.line(rest.trim_start_matches('.'));
                below.or_else(|| Some(line(&item.referenced)))
            }
            Self::Scalar(_) => None,
        }
    }
}

/// Returns what follows a key in the path of a field, if the path begins with it.
fn after_key<'a>(field: &'a str, key: &str) -> Option<&'a str> {
    let bracketed = field
        .strip_prefix('[')
        .and_then(|rest| rest.strip_prefix(key)?.strip_prefix(']'));
    let rest = bracketed.or_else(|| field.strip_prefix(key))?;
    match rest.strip_prefix('.') {
        Some(below) => Some(below),
        None => (rest.is_empty() || rest.starts_with('[')).then_some(rest),
    }
}

fn line(location: &serde_saphyr::Location) -> usize {
    usize::try_from(location.line()).unwrap_or(usize::MAX)
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = map.next_key::<Spanned<String>>()? {
            entries.push(Entry {
                line: line(&key.referenced),
                key: key.value,
                fields: map.next_value()?,
            });
        }
        Ok(Fields::Mapping(entries))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Fields, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = sequence.next_element()? {
            items.push(item);
        }
        Ok(Fields::Sequence(items))
    }

    fn visit_str<E>(self, text: &str) -> Result<Fields, E> {
        Ok(Fields::Scalar(Some(text.to_owned())))
    }

    // A name may look like something else.
    fn visit_bool<E>(self, value: bool) -> Result<Fields, E> {
        Ok(Fields::Scalar(Some(value.to_string())))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Fields, E> {
        Ok(Fields::Scalar(Some(value.to_string())))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Fields, E> {
        Ok(Fields::Scalar(Some(value.to_string())))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Fields, E> {
        Ok(Fields::Scalar(Some(value.to_string())))
    }

    fn visit_u128<E>(self, value: u128) -> Result<Fields, E> {
        Ok(Fields::Scalar(Some(value.to_string())))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Fields, E> {
        Ok(Fields::Scalar(None))
    }

    fn visit_bytes<E>(self, _: &[u8]) -> Result<Fields, E> {
        Ok(Fields::Scalar(None))
    }

    fn visit_unit<E>(self) -> Result<Fields, E> {
        Ok(Fields::Scalar(None))
    }

    fn visit_none<E>(self) -> Result<Fields, E> {
        Ok(Fields::Scalar(None))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Fields, D::Error> {
        deserializer.deserialize_any(self)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    const OBJECT: &str = "\
# a comment
---
apiVersion: v1
kind: Secret
metadata:
  name: a
  annotations:
    example.com/some.key: x
    example.com/some: y
spec:
  rules:
    - host: example.com
      http:
        paths:
          - path: /
          - path: /b
            backend: {service: {name: web,
              port: {number: 80}}}
  flags: [true,
    7]
data:
  tls.key: s3cret
";

    fn line_of(field: &str) -> usize {
        let places = places(OBJECT);
        assert_eq!(places.len(), 1);
        places[0].line(field)
    }

    #[test]
    fn a_field_has_its_line() {
        for (field, line) in [
            ("", 3),
            ("kind", 4),
            ("metadata.name", 6),
            ("metadata.annotations[example.com/some.key]", 8),
            ("metadata.annotations[example.com/some]", 9),
            ("spec.rules[0]", 12),
            ("spec.rules[0].http.paths[1]", 16),
            ("spec.rules[0].http.paths[1].backend.service.name", 17),
            (
                "spec.rules[0].http.paths[1].backend.service.port.number",
                18,
            ),
            ("spec.flags[1]", 20),
            ("data[tls.key]", 22),
            ("data.tls.key", 22),
        ] {
            assert_eq!(line_of(field), line, "{field}");
        }
    }

    #[test]
    fn a_field_that_is_not_there_has_the_line_of_what_would_hold_it() {
        for (field, line) in [
            ("status", 3),
            ("spec.defaultBackend", 10),
            ("spec.rules[7].host", 11),
            ("spec.rules[0].http.paths[0].pathType", 15),
            ("spec.rules[0].hosts", 12),
            ("spec.rules[", 11),
        ] {
            assert_eq!(line_of(field), line, "{field}");
        }
    }

    #[test]
    fn items_of_a_list_and_documents_after_others_have_theirs() {
        let text = "apiVersion: v1\nitems:\n- apiVersion: v1\n  kind: Service\n  metadata:\n    name: a\n- kind: Service\n  metadata: {name: 7}\n\
                    kind: List\n---\nx: [\n---\n\n# c\nkind: Node\nmetadata: {name: y}\n";
        let found: Vec<_> = places(text)
            .iter()
            .map(|place| (place.object.to_string(), place.document, place.line("")))
            .collect();
        let expected = [
            ("Service default/a", 1, 3),
            ("Service default/7", 1, 7),
            ("Node y", 3, 15),
        ];
        let expected = expected.map(|(object, document, line)| (object.to_owned(), document, line));
        assert_eq!(found, expected);
    }
}
