//! The copy of the last accepted snapshot on this node's disk, from which a restarted data plane serves while the control
//! plane is away.
//!
//! It holds TLS keys, so it is sealed (AES-256-GCM, with a key derived from the seal key of the identity folder; the one
//! before still opens it); the seal is its checksum, too. Whatever is wrong with it, it is as if there were none: it is
//! never trusted in part.

mod format;
mod writer;

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use sluice_proto::Snapshot;

pub use crate::disk_copy::format::Damage;
use crate::disk_copy::format::Seal;
pub(crate) use crate::disk_copy::writer::Writer;
use crate::identity::SealKeys;

/// Where the copy is, and what seals it.
#[derive(Debug)]
pub struct DiskCopy {
    folder: PathBuf,
    seals: ArcSwap<Seals>,
}

/// The seals of now and of before.
#[derive(Debug)]
struct Seals {
    keys: SealKeys,
    current: Seal,
    previous: Option<Seal>,
}

/// What is kept: enough to serve as before.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Kept {
    /// The number of the snapshot.
    pub generation: u64,
    /// The accepted resources.
    pub snapshot: Snapshot,
    /// The certificates that are served beyond their Secret.
    pub certificates: Snapshot,
}

/// The right to write the copy.
#[derive(Debug)]
pub struct Claim {
    // Closing it unlocks it.
    _folder: File,
}

/// Why there is no copy to read or to write.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DiskCopyError {
    /// The copy cannot be trusted.
    #[error("{} cannot be used and counts as absent", path.display())]
    Damaged {
        /// Where.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: Damage,
    },
    /// The disk or its rights are at fault.
    #[error("cannot {what} {}; --state-dir must be a folder of this program's own on a disk with room", path.display())]
    Disk {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// Another process writes there.
    #[error("another data plane keeps its state in {}; give each its own --state-dir", folder.display())]
    Taken {
        /// Where.
        folder: PathBuf,
    },
}

impl DiskCopy {
    /// Returns the copy in this folder, which is made if it is not there.
    ///
    /// # Errors
    ///
    /// If it cannot be made.
    pub fn open(folder: &Path, seal_keys: &SealKeys) -> Result<Self, DiskCopyError> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(|source| disk("create", folder, source))?;
        Ok(Self {
            folder: folder.to_owned(),
            seals: ArcSwap::from_pointee(Seals::derive(seal_keys)),
        })
    }

    /// Seals with these keys from now on, and returns whether they are others than before. What is on the disk stays as it
    /// is until the next save.
    pub fn follow(&self, seal_keys: &SealKeys) -> bool {
        let changed = self.seals.load().keys != *seal_keys;
        if changed {
            self.seals.store(Arc::new(Seals::derive(seal_keys)));
        }
        changed
    }

    /// Keeps other processes out of the folder until what is returned is dropped, or this process ends: two that write one
    /// copy would spoil it.
    ///
    /// # Errors
    ///
    /// If another process has it.
    pub fn claim(&self) -> Result<Claim, DiskCopyError> {
        let folder =
            File::open(&self.folder).map_err(|source| disk("open", &self.folder, source))?;
        match folder.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(DiskCopyError::Taken {
                    folder: self.folder.clone(),
                });
            }
            // Not every file system has locks.
            Err(TryLockError::Error(error)) => {
                tracing::warn!(folder = %self.folder.display(), %error, "the state folder cannot be locked");
            }
        }
        Ok(Claim { _folder: folder })
    }

    /// Returns what was kept last; `None` if nothing was.
    ///
    /// # Errors
    ///
    /// If it cannot be read or trusted.
    pub fn load(&self) -> Result<Option<Kept>, DiskCopyError> {
        let path = self.path();
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(|source| disk("open", &path, source))?,
        };
        let mut sealed = Vec::new();
        // One byte more than may be, so that more is noticed.
        file.take(format::MAX_BYTES + 1)
            .read_to_end(&mut sealed)
            .map_err(|source| disk("read", &path, source))?;
        match self.seals.load().open(sealed) {
            Ok(kept) => Ok(Some(kept)),
            Err(source) => Err(DiskCopyError::Damaged { path, source }),
        }
    }

    /// Puts this in the place of what was kept. Blocks until it is on the disk; whoever reads meanwhile, or after a loss
    /// of power, reads the one or the other.
    ///
    /// # Errors
    ///
    /// If it cannot be written; what was kept stays.
    pub fn save(&self, kept: &Kept) -> Result<(), DiskCopyError> {
        let path = self.path();
        let sealed =
            (self.seals.load().current.seal(kept)).map_err(|source| DiskCopyError::Damaged {
                path: path.clone(),
                source,
            })?;
        let temporary = self.folder.join("snapshot.new");
        write(&temporary, &sealed).map_err(|source| disk("write", &temporary, source))?;
        fs::rename(&temporary, &path).map_err(|source| disk("replace", &path, source))?;
        let synced = File::open(&self.folder).and_then(|folder| folder.sync_all());
        synced.map_err(|source| disk("sync", &self.folder, source))
    }

    /// Returns this as it would lie on the disk.
    ///
    /// # Errors
    ///
    /// If it is too large.
    pub(crate) fn seal(&self, kept: &Kept) -> Result<Vec<u8>, Damage> {
        self.seals.load().current.seal(kept)
    }

    /// Returns what another data plane of this installation has sealed.
    ///
    /// # Errors
    ///
    /// If it cannot be trusted.
    pub(crate) fn unseal(&self, sealed: Vec<u8>) -> Result<Kept, Damage> {
        self.seals.load().open(sealed)
    }

    /// The most that a sealed snapshot may have.
    pub(crate) const MAX_BYTES: u64 = format::MAX_BYTES;

    fn path(&self) -> PathBuf {
        self.folder.join("snapshot")
    }
}

impl Seals {
    fn derive(keys: &SealKeys) -> Self {
        Self {
            keys: *keys,
            current: Seal::derive(&keys.current),
            previous: keys.previous.as_ref().map(Seal::derive),
        }
    }

    fn open(&self, sealed: Vec<u8>) -> Result<Kept, Damage> {
        let Some(previous) = &self.previous else {
            return self.current.open(sealed);
        };
        // Opening happens in place and spoils what does not open.
        let again = sealed.clone();
        match self.current.open(sealed) {
            Err(Damage::Broken) => previous.open(again),
            opened => opened,
        }
    }
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn disk(what: &'static str, path: &Path, source: io::Error) -> DiskCopyError {
    DiskCopyError::Disk {
        what,
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    pub(super) fn keys(current: u8, previous: Option<u8>) -> SealKeys {
        SealKeys {
            current: [current; 32],
            previous: previous.map(|previous| [previous; 32]),
        }
    }

    #[test]
    fn what_is_saved_is_loaded_and_only_its_owner_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let copy = DiskCopy::open(&folder.path().join("state"), &keys(7, None)).unwrap();
        assert_eq!(copy.load().unwrap(), None);
        let kept = format::tests::kept(3);
        copy.save(&kept).unwrap();
        copy.save(&kept).unwrap();
        assert_eq!(copy.load().unwrap(), Some(kept));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&copy.path()), 0o600);
        assert_eq!(mode(&copy.folder), 0o700);
    }

    #[test]
    fn a_folder_has_one_owner_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let copy = DiskCopy::open(folder.path(), &keys(7, None)).unwrap();
        let claim = copy.claim().unwrap();
        let error = copy.claim().unwrap_err();
        assert!(matches!(error, DiskCopyError::Taken { .. }), "{error}");
        drop(claim);
        copy.claim().unwrap();
    }

    #[test]
    fn another_key_opens_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let copy = DiskCopy::open(folder.path(), &keys(7, None)).unwrap();
        copy.save(&format::tests::kept(1)).unwrap();
        let other = DiskCopy::open(folder.path(), &keys(8, None)).unwrap();
        let error = other.load().unwrap_err();
        assert!(matches!(error, DiskCopyError::Damaged { .. }), "{error}");
    }

    #[test]
    fn the_key_before_still_opens_and_seals_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let copy = DiskCopy::open(folder.path(), &keys(7, None)).unwrap();
        copy.save(&format::tests::kept(1)).unwrap();
        assert!(!copy.follow(&keys(7, None)));
        assert!(copy.follow(&keys(8, Some(7))));
        assert_eq!(copy.load().unwrap(), Some(format::tests::kept(1)));
        copy.save(&format::tests::kept(2)).unwrap();
        copy.follow(&keys(8, None));
        assert_eq!(copy.load().unwrap(), Some(format::tests::kept(2)));
        copy.follow(&keys(9, Some(7)));
        let error = copy.load().unwrap_err();
        assert!(matches!(error, DiskCopyError::Damaged { .. }), "{error}");
    }
}
