//! Kubernetes objects in, a snapshot and problems out: pure, sorted, versioned by content.
//!
//! It does not do any I/O, read a clock, log, or remember anything between two translations.

mod object;
mod objects;
mod parse;
mod settings;
mod translation;

pub use crate::object::Object;
pub use crate::objects::{Change, Objects};
pub use crate::parse::{DocumentProblem, ParsedObjects, parse_objects};
pub use crate::settings::{EdgeSettings, IngressSettings, SecretReference, SettingsError};
pub use crate::translation::{
    Options, Translation, referenced_secrets, retranslate_endpoints, translate,
};
