//! Reads a folder of YAML and JSON files: names and bytes.
//!
//! It does not understand what is in them (`folder.rs`) and does not wait for changes (`path_watch.rs`).

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// What a file holds, or why it cannot be read.
pub(crate) type Content = Result<String, Unreadable>;

/// What each file holds, by its path below the folder.
pub(crate) type Found = BTreeMap<PathBuf, Content>;

/// Why a file cannot be read.
#[derive(Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error("it cannot be read ({0})")]
    Io(String),
    #[error("it is larger than {} MiB", LARGEST >> 20)]
    TooLarge,
    #[error("it is not UTF-8 text")]
    NotText,
}

/// Returns the content of each file that counts, by its path below `folder`. Hidden files and folders do not count:
/// a mounted ConfigMap keeps its versions in some, and editors their copies.
///
/// # Errors
///
/// If `folder` itself cannot be listed. A folder below it that cannot is an unreadable entry of its own.
pub(crate) fn scan(folder: &Path) -> io::Result<Found> {
    let mut found = BTreeMap::new();
    let mut visited = BTreeSet::from([folder.canonicalize()?]);
    let mut folders = BTreeSet::new();
    list(folder, Path::new(""), &mut found, &mut folders)?;
    while let Some(relative) = folders.pop_first() {
        // A symlink may lead back up: each folder is read once, under the first of its names.
        match folder.join(&relative).canonicalize() {
            Ok(canonical) => {
                if !visited.insert(canonical) {
                    continue;
                }
            }
            Err(error) => {
                found.insert(relative, Err(Unreadable::Io(error.to_string())));
                continue;
            }
        }
        if let Err(error) = list(folder, &relative, &mut found, &mut folders) {
            found.insert(relative, Err(Unreadable::Io(error.to_string())));
        }
    }
    Ok(found)
}

fn list(
    root: &Path,
    relative: &Path,
    found: &mut Found,
    folders: &mut BTreeSet<PathBuf>,
) -> io::Result<()> {
    for entry in root.join(relative).read_dir()? {
        let name = entry?.file_name();
        if name.as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let relative = relative.join(name);
        let path = root.join(&relative);
        match path.metadata() {
            Ok(metadata) if metadata.is_dir() => {
                folders.insert(relative);
            }
            // A pipe would never end.
            Ok(metadata) if counts(&relative) && metadata.is_file() => {
                found.insert(relative, read(&path));
            }
            // It went away since it was listed.
            Err(error) if error.kind() == io::ErrorKind::NotFound && !path.is_symlink() => {}
            Err(error) if counts(&relative) => {
                found.insert(relative, Err(Unreadable::Io(error.to_string())));
            }
            _ => {}
        }
    }
    Ok(())
}

fn counts(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|extension| ["yaml", "yml", "json"].contains(&extension))
}

/// Returns the content of a file.
///
/// # Errors
///
/// If it is not to be had, or no text.
pub(crate) fn read(path: &Path) -> Content {
    read_from(File::open(path).map_err(io_error)?)
}

/// Returns what this can be read of until its end.
///
/// # Errors
///
/// If it is not to be had, or no text.
pub(crate) fn read_from(from: impl Read) -> Content {
    let mut bytes = Vec::new();
    from.take(LARGEST + 1)
        .read_to_end(&mut bytes)
        .map_err(io_error)?;
    if bytes.len() as u64 > LARGEST {
        return Err(Unreadable::TooLarge);
    }
    String::from_utf8(bytes).map_err(|_| Unreadable::NotText)
}

fn io_error(error: io::Error) -> Unreadable {
    Unreadable::Io(error.to_string())
}

/// A guard against a mistake: an API server takes objects of 1.5 MiB.
const LARGEST: u64 = 64 << 20;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn reads_what_counts_once_and_says_what_it_cannot_read() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        fs::create_dir_all(at("deep/er")).unwrap();
        fs::create_dir_all(at(".hidden")).unwrap();
        for file in ["a.yaml", "deep/b.yml", "deep/er/c.json", "d.txt"] {
            fs::write(at(file), file).unwrap();
        }
        for file in [".hidden/e.yaml", ".f.yaml", "g.yaml~"] {
            fs::write(at(file), file).unwrap();
        }
        fs::write(at("h.yaml"), [0xff, 0xfe]).unwrap();
        symlink(at(""), at("deep/back")).unwrap();
        symlink(at("nowhere"), at("i.yaml")).unwrap();
        symlink(at("d.txt"), at("j.yaml")).unwrap();

        let found = scan(folder.path()).unwrap();
        let text = |path: &str| found[Path::new(path)].as_deref();
        let names: Vec<_> = found.keys().map(|path| path.to_str().unwrap()).collect();
        assert_eq!(
            names,
            [
                "a.yaml",
                "deep/b.yml",
                "deep/er/c.json",
                "h.yaml",
                "i.yaml",
                "j.yaml"
            ]
        );
        assert_eq!(text("deep/er/c.json"), Ok("deep/er/c.json"));
        assert_eq!(text("j.yaml"), Ok("d.txt"));
        assert_eq!(text("h.yaml"), Err(&Unreadable::NotText));
        assert!(matches!(text("i.yaml"), Err(Unreadable::Io(_))));
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        assert!(scan(&folder.path().join("none")).is_err());
    }
}
