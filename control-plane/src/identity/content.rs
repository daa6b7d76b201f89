//! What the identity is made of, as files in memory: read from a store, changed by who establishes the identity, and
//! written back by the store.
//!
//! It does not know what is in the files, nor how they are kept.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::identity::error::IdentityError;

/// All files of the identity, and what was changed of them.
#[derive(Clone)]
pub(crate) struct Content {
    place: Place,
    files: BTreeMap<&'static str, Vec<u8>>,
    changes: Vec<Change>,
    notes: Vec<String>,
}

/// What becomes of a file: its new content, or none if it is removed.
#[derive(Clone)]
pub(crate) struct Change {
    pub(crate) name: &'static str,
    pub(crate) content: Option<String>,
}

/// Where the files are kept, for people.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// In this folder.
    Folder(PathBuf),
    /// In two Secrets, `NAMESPACE/NAME`.
    Secrets {
        control_plane: String,
        data_plane: String,
    },
}

impl Content {
    pub(crate) const fn new(place: Place, files: BTreeMap<&'static str, Vec<u8>>) -> Self {
        Self {
            place,
            files,
            changes: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Returns the file's content; `None` if there is no such file.
    pub(crate) fn read(&self, name: &'static str) -> Result<Option<String>, IdentityError> {
        let text = self.files.get(name).cloned().map(String::from_utf8);
        text.transpose()
            .map_err(|_| self.malformed(name, "it is no text"))
    }

    /// Has the file hold this. The order of writing is kept: a folder may be left in the middle of it.
    pub(crate) fn write(&mut self, name: &'static str, text: String) {
        if self.files.get(name).map(Vec::as_slice) == Some(text.as_bytes()) {
            return;
        }
        self.files.insert(name, text.clone().into_bytes());
        self.changes.push(Change {
            name,
            content: Some(text),
        });
    }

    pub(crate) fn remove(&mut self, name: &'static str) {
        if self.files.remove(name).is_some() {
            let content = None;
            self.changes.push(Change { name, content });
        }
    }

    /// Notes something to be told once the changes are written.
    pub(crate) fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    pub(crate) fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Tells what was noted.
    pub(crate) fn tell(&self) {
        for note in &self.notes {
            tracing::info!("{note}");
        }
    }

    /// Returns where a file is, for people.
    pub(crate) fn place(&self, name: &str) -> String {
        self.place.of(name)
    }

    pub(crate) fn malformed(&self, name: &str, reason: impl ToString) -> IdentityError {
        IdentityError::Malformed {
            place: self.place(name),
            reason: reason.to_string(),
        }
    }
}

impl Place {
    fn of(&self, name: &str) -> String {
        match self {
            Self::Folder(root) => root.join(name).display().to_string(),
            Self::Secrets {
                control_plane,
                data_plane,
            } => {
                let (folder, key) = name.split_once('/').unwrap_or(("", name));
                let secret = if folder == DATA_PLANE {
                    data_plane
                } else {
                    control_plane
                };
                format!("key {key} of Secret {secret}")
            }
        }
    }
}

/// The folder with what only control planes have.
pub(crate) const CONTROL_PLANE: &str = "control-plane";
/// The folder that data planes are given.
pub(crate) const DATA_PLANE: &str = "data-plane";
/// Every file that there may be. What else is in the store is somebody else's and stays.
pub(crate) const NAMES: [&str; 20] = [
    "control-plane/installation.id",
    "control-plane/ca.crt",
    "control-plane/ca.key",
    "control-plane/next-ca.crt",
    "control-plane/next-ca.key",
    "control-plane/next-ca.overlap",
    "control-plane/next-ca.distrust",
    "control-plane/previous-ca.crt",
    "control-plane/previous-ca.until",
    "control-plane/tls.crt",
    "control-plane/tls.key",
    "control-plane/default.crt",
    "control-plane/default.key",
    "data-plane/installation.id",
    "data-plane/ca.crt",
    "data-plane/next-ca.after",
    "data-plane/tls.crt",
    "data-plane/tls.key",
    "data-plane/seal.key",
    "data-plane/seal.key.previous",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_as_people_find_it() {
        let secrets = Place::Secrets {
            control_plane: "a/one".to_owned(),
            data_plane: "b/two".to_owned(),
        };
        assert_eq!(
            secrets.of("control-plane/ca.key"),
            "key ca.key of Secret a/one"
        );
        assert_eq!(
            secrets.of("data-plane/ca.crt"),
            "key ca.crt of Secret b/two"
        );
        let folder = Place::Folder("/etc/identity".into());
        assert_eq!(
            folder.of("data-plane/ca.crt"),
            "/etc/identity/data-plane/ca.crt"
        );
    }
}
