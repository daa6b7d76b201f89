//! When a pod's data plane was born: what decides between two processes of one node which is the newer.
//!
//! A state folder lives as long as its pod, so the stamp in it outlives restarts of the container: an old container that
//! comes back is still the older one. It says nothing about who serves.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// When the first process of a state folder began. Later ones are greater.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Birth {
    /// In nanoseconds since 1970.
    pub(super) unix_ns: u64,
    /// Tells two apart that began at once.
    pub(super) random: u64,
}

/// Why there is no stamp.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what} {}; --state-dir must be a folder of this program's own on a disk with room", path.display())]
pub(crate) struct BirthError {
    what: &'static str,
    path: PathBuf,
    #[source]
    source: io::Error,
}

impl Birth {
    /// Returns the stamp in this folder, which is written if there is none.
    ///
    /// # Errors
    ///
    /// If it can be neither read nor written.
    pub(crate) fn of_folder(folder: &Path) -> Result<Self, BirthError> {
        let path = folder.join(FILE);
        let failed = |what| {
            let path = path.clone();
            move |source| BirthError { what, path, source }
        };
        match fs::read_to_string(&path) {
            Ok(text) => {
                if let Some(birth) = Self::parse(&text) {
                    return Ok(birth);
                }
                tracing::warn!(path = %path.display(), "the birth stamp is damaged; this counts as a new pod");
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed("read")(error)),
        }
        let birth = Self::now();
        // Written beside and renamed: a half one would make an old pod a new one.
        let temporary = folder.join("birth.new");
        write(&temporary, &format!("{} {}\n", birth.unix_ns, birth.random))
            .map_err(failed("write"))?;
        fs::rename(&temporary, &path).map_err(failed("replace"))?;
        Ok(birth)
    }

    fn now() -> Self {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            unix_ns: u64::try_from(since.as_nanos()).unwrap_or(u64::MAX),
            random: fastrand::u64(..),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let (unix_ns, random) = text.trim_end().split_once(' ')?;
        Some(Self {
            unix_ns: unix_ns.parse().ok()?,
            random: random.parse().ok()?,
        })
    }
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())
}

const FILE: &str = "birth";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_born_once_and_a_later_one_is_newer() {
        let [older, newer] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let first = Birth::of_folder(older.path()).unwrap();
        assert_eq!(Birth::of_folder(older.path()).unwrap(), first);
        assert!(Birth::of_folder(newer.path()).unwrap() > first);
        assert_eq!(Birth::of_folder(older.path()).unwrap(), first);
    }

    #[test]
    fn a_damaged_stamp_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        for damage in ["", "1", "x y", "1 2 3"] {
            fs::write(folder.path().join(FILE), damage).unwrap();
            let birth = Birth::of_folder(folder.path()).unwrap();
            assert_eq!(Birth::of_folder(folder.path()).unwrap(), birth);
        }
    }
}
