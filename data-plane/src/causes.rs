//! An error with its causes, as one line for people.

use std::error::Error;

/// Returns what the error says, and what each of its causes does.
pub(crate) fn with_causes(error: &dyn Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", with_causes(source)),
        None => error.to_string(),
    }
}
