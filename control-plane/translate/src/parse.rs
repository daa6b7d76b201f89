//! Reads objects from YAML or JSON text.

use sluice_proto::{ObjectReference, Problem};

use crate::object::Object;

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
    /// Which document of the text, counted from 1; those without content count, too.
    pub document: usize,
    /// In which line of the text, counted from 1.
    pub line: usize,
    /// The object that the document says it is, if it does.
    pub object: Option<ObjectReference>,
    /// A field, if one is at fault.
    pub field: String,
    /// A short constant in CamelCase.
    pub code: String,
    /// What is wrong and what it costs.
    pub message: String,
    /// How to mend it.
    pub remedy: String,
}

impl DocumentProblem {
    /// Returns the problem of the object, or of the file if the document does not say which object it is.
    #[must_use]
    pub fn in_file(self, file: &str) -> Problem {
        let place = format!("{file}, document {}, line {}", self.document, self.line);
        Problem {
            object: self.object.unwrap_or_else(|| ObjectReference {
                kind: "File".to_owned(),
                namespace: String::new(),
                name: file.to_owned(),
            }),
            field: self.field,
            code: self.code,
            message: format!("{place}: {}", self.message),
            remedy: self.remedy,
        }
    }
}

/// Returns the objects of a text of YAML documents, or of JSON.
#[must_use]
pub fn parse_objects(yaml: &str) -> ParsedObjects {
    let _ = yaml;
    ParsedObjects::default()
}
