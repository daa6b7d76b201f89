//! What settings can say, for API servers and for documents.

use std::sync::LazyLock;

use serde_json::Value;

use crate::custom::SettingsKind;
use crate::schema::{SpecField, Tree, definition};
use crate::settings::spec::SettingsSpec;

/// Returns each field that settings can have, in the order of their names.
#[must_use]
pub fn settings_fields() -> Vec<SpecField> {
    SCHEMA.list()
}

/// Returns the CustomResourceDefinition that makes an API server know the kind Settings.
#[must_use]
pub fn settings_definition() -> Value {
    let description = "Settings of Sluice. Named edge, they are those of the whole edge; else those of the IngressClasses \
        whose parameters they are.";
    definition::<SettingsKind>(&SCHEMA, "settings", description)
}

pub(super) static SCHEMA: LazyLock<Tree> = LazyLock::new(Tree::of::<SettingsSpec>);
