//! The identity folder: reads and writes its files.
//!
//! It does not know what is in them. A file is written whole or not at all, for its owner only. Only who holds the
//! folder's lock writes, so two control planes that start at once on one folder agree on one authority.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::identity::error::IdentityError;

/// The identity folder.
#[derive(Clone, Debug)]
pub(crate) struct Folder {
    root: PathBuf,
}

/// The right to write in the folder; dropped, or when the process ends, the lock is free.
#[derive(Debug)]
pub(crate) struct Lock {
    folder: Folder,
    // Holds the lock as long as it is open.
    _file: File,
}

impl Folder {
    pub(crate) fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Returns the file's content; `None` if there is no such file.
    pub(crate) fn read(&self, name: &str) -> Result<Option<String>, IdentityError> {
        let path = self.path(name);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                Err(self.malformed(name, "it is no text"))
            }
            Err(source) => Err(IdentityError::Read { path, source }),
        }
    }

    pub(crate) fn malformed(&self, name: &str, reason: impl ToString) -> IdentityError {
        IdentityError::Malformed {
            path: self.path(name),
            reason: reason.to_string(),
        }
    }

    /// Makes the folders that are missing, and waits for whoever else is writing there.
    pub(crate) fn lock(&self) -> Result<Lock, IdentityError> {
        for name in ["", CONTROL_PLANE, DATA_PLANE] {
            let path = self.path(name);
            let made = DirBuilder::new().recursive(true).mode(0o700).create(&path);
            made.map_err(|source| IdentityError::Write { path, source })?;
        }
        let path = self.path(LOCK);
        let locked = options().open(&path).and_then(|file| {
            file.lock()?;
            Ok(file)
        });
        Ok(Lock {
            folder: self.clone(),
            _file: locked.map_err(|source| IdentityError::Write { path, source })?,
        })
    }
}

impl Lock {
    /// Writes the file, in the place of the one there is.
    pub(crate) fn write(&self, name: &str, content: &str) -> Result<(), IdentityError> {
        let path = self.folder.path(name);
        // Nobody else writes while we hold the lock, so a leftover of that name is nobody's.
        let temporary = self.folder.path(&format!("{name}.new"));
        let write = || {
            let mut file = options().truncate(true).open(&temporary)?;
            file.write_all(content.as_bytes())?;
            file.sync_all()?;
            fs::rename(&temporary, &path)
        };
        write().map_err(|source| IdentityError::Write { path, source })
    }
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true).mode(0o600);
    options
}

/// The folder with what only control planes have.
pub(crate) const CONTROL_PLANE: &str = "control-plane";
/// The folder that data planes are given.
pub(crate) const DATA_PLANE: &str = "data-plane";
const LOCK: &str = ".lock";
