//! Reads objects from a text of YAML documents, or of JSON: for the source `files` and for tests.
//!
//! It does not read files. It stands where an API server would: what that would refuse or warn of is a problem here,
//! and costs only the document that it is in. No problem quotes a Secret.

mod documents;
mod places;
mod reader;

use std::collections::BTreeMap;
use std::fmt;

use sluice_proto::{ObjectReference, Problem};

use crate::object::Object;
use crate::parse::documents::documents;
pub use crate::parse::places::{Place, places};
use crate::parse::reader::Reader;
use crate::problem::ProblemCode;

/// What a text holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ParsedObjects {
    /// The objects, in the order of the text.
    pub objects: Vec<Object>,
    /// What is wrong with which document, in the order of the text.
    pub problems: Vec<DocumentProblem>,
}

/// What is wrong with a document.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DocumentProblem {
    /// Which document of the text, counted from 1; what holds only comments does not count.
    pub document: usize,
    /// In which line of the text, counted from 1.
    pub line: usize,
    /// The object that the document says it is, if it does.
    pub object: Option<ObjectReference>,
    /// A field, if one is at fault.
    pub field: String,
    /// What kind of problem it is.
    pub code: ProblemCode,
    /// What is wrong and what it costs.
    pub message: String,
    /// How to mend it.
    pub remedy: String,
}

impl DocumentProblem {
    /// Returns the problem of the object, or of the file if the document does not say which object it is.
    #[must_use]
    pub fn in_file(self, file: &str) -> Problem {
        let message = format!("{file}, {self}");
        Problem {
            object: self.object.unwrap_or_else(|| ObjectReference {
                kind: "File".to_owned(),
                namespace: String::new(),
                name: file.to_owned(),
            }),
            field: self.field,
            code: self.code.to_string(),
            message,
            remedy: self.remedy,
        }
    }
}

impl fmt::Display for DocumentProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "document {}, line {}: {}",
            self.document, self.line, self.message
        )
    }
}

/// Returns the objects of a text of YAML documents, or of JSON. Empty documents are passed over; a list gives its items;
/// a namespaced object without a namespace is in `default`, as kubectl has it.
#[must_use]
pub fn parse_objects(yaml: &str) -> ParsedObjects {
    let mut reader = Reader::default();
    for document in documents(yaml) {
        reader.document(document);
    }
    let mut parsed = reader.into_parsed();
    if parsed
        .problems
        .iter()
        .any(|problem| !problem.field.is_empty())
    {
        place(&mut parsed.problems, &places(yaml));
    }
    parsed
}

/// Gives the line of its field to each problem that has only that of its object.
fn place(problems: &mut [DocumentProblem], places: &[Place]) {
    let places: BTreeMap<_, _> = (places.iter())
        .map(|place| ((place.document, &place.object), place))
        .collect();
    for problem in problems {
        let place = (problem.object.as_ref())
            .filter(|_| !problem.field.is_empty())
            .and_then(|object| places.get(&(problem.document, object)));
        let line = place.map_or(0, |place| place.line(&problem.field));
        problem.line = problem.line.max(line);
    }
}
