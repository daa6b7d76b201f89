//! The identity in a folder: reads and writes its files.
//!
//! It does not know what is in them. A file is written whole or not at all, for its owner only. Only who holds the
//! folder's lock writes, so two control planes that start at once on one folder agree on one authority. The folder is only
//! written to if something is to be changed, so it may be mounted read-only once it is complete.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::identity::content::{CONTROL_PLANE, Change, Content, DATA_PLANE, NAMES, Place};
use crate::identity::error::IdentityError;

/// The identity folder.
#[derive(Clone, Debug)]
pub(super) struct Folder {
    root: PathBuf,
}

impl Folder {
    pub(super) fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
        }
    }

    /// See [`Store::settle`](super::Store::settle). Blocks.
    pub(super) fn settle<T>(
        &self,
        step: impl Fn(&mut Content) -> Result<T, IdentityError>,
    ) -> Result<T, IdentityError> {
        let mut content = self.read()?;
        let stepped = step(&mut content);
        if stepped.is_ok() && content.changes().is_empty() {
            return stepped;
        }
        // Somebody else may have written meanwhile; what could not be understood may have been half written.
        let lock = match (self.lock(), stepped) {
            (Ok(lock), _) => lock,
            (Err(_), Err(error)) | (Err(error), Ok(_)) => return Err(error),
        };
        let mut content = self.read()?;
        let done = step(&mut content)?;
        for change in content.changes() {
            lock.apply(change)?;
        }
        content.tell();
        Ok(done)
    }

    fn read(&self) -> Result<Content, IdentityError> {
        let mut files = BTreeMap::new();
        for name in NAMES {
            let path = self.root.join(name);
            match fs::read(&path) {
                Ok(content) => {
                    files.insert(name, content);
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(source) => return Err(IdentityError::Read { path, source }),
            }
        }
        Ok(Content::new(Place::Folder(self.root.clone()), files))
    }

    /// Makes the folders that are missing, and waits for whoever else is writing there.
    fn lock(&self) -> Result<Lock<'_>, IdentityError> {
        for name in ["", CONTROL_PLANE, DATA_PLANE] {
            let path = self.root.join(name);
            let made = DirBuilder::new().recursive(true).mode(0o700).create(&path);
            made.map_err(|source| IdentityError::Write { path, source })?;
        }
        let path = self.root.join(LOCK);
        let locked = options().open(&path).and_then(|file| {
            file.lock()?;
            Ok(file)
        });
        Ok(Lock {
            folder: self,
            _file: locked.map_err(|source| IdentityError::Write { path, source })?,
        })
    }
}

/// The right to write in the folder; dropped, or when the process ends, the lock is free.
struct Lock<'a> {
    folder: &'a Folder,
    // Holds the lock as long as it is open.
    _file: File,
}

impl Lock<'_> {
    fn apply(&self, change: &Change) -> Result<(), IdentityError> {
        let path = self.folder.root.join(change.name);
        match &change.content {
            Some(content) => self.write(change.name, &path, content),
            None => fs::remove_file(&path),
        }
        .map_err(|source| IdentityError::Write { path, source })
    }

    /// Writes the file, in the place of the one there is.
    fn write(&self, name: &str, path: &Path, content: &str) -> io::Result<()> {
        // Nobody else writes while we hold the lock, so a leftover of that name is nobody's.
        let temporary = self.folder.root.join(format!("{name}.new"));
        let mut file = options().truncate(true).open(&temporary)?;
        file.write_all(content.as_bytes())?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    }
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true).mode(0o600);
    options
}

const LOCK: &str = ".lock";
