//! What is made of the types of custom resources: their definitions among the manifests, and the tables in the documents.
//! `SLUICE_REWRITE_GOLDEN=1` writes both. And that what the documents say of them is true.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod policies;
mod settings;

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use sluice_proto::CertificateMaterial;
use sluice_translate::{EdgeSettings, Options, SpecField};

fn options(settings: EdgeSettings) -> Options {
    Options {
        settings,
        default_certificate: CertificateMaterial {
            chain: Vec::new(),
            private_key: Bytes::new(),
            names: Vec::new(),
            not_before_unix_s: 0,
            not_after_unix_s: 0,
        },
    }
}

/// Asserts that each field has a meaning, what it may be, and a default, unless it is required.
fn assert_explained(fields: &[SpecField], required: &[&str]) {
    for field in fields {
        assert!(!field.meaning.is_empty(), "{field:?}");
        let holds_others = fields
            .iter()
            .any(|other| other.path.starts_with(&format!("{}.", field.path)));
        let is_required = required.contains(&&*field.path);
        assert!(
            holds_others || is_required || !field.default.is_empty(),
            "{field:?} has no default"
        );
        assert!(holds_others || !field.value.is_empty(), "{field:?}");
    }
}

fn row(table: &mut String, cells: &[String]) {
    let cells: Vec<_> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
    table.push_str(&format!("| {} |\n", cells.join(" | ")));
}

fn check(file: &Path, text: &str) {
    if std::env::var_os("SLUICE_REWRITE_GOLDEN").is_some() {
        fs::write(file, text).unwrap();
    }
    let found = fs::read_to_string(file).unwrap_or_default();
    assert!(
        found == text,
        "{} is stale; set SLUICE_REWRITE_GOLDEN=1 and read what it writes:\n{text}",
        file.display()
    );
}

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path)
}

const END: &str = "<!-- until here -->\n";
