//! Reads what is to be checked: files, folders, standard input.
//!
//! It does not understand what is in them (`parsed.rs`). What cannot be read is an error, and so is nothing at all: a
//! check that looked at nothing must not end as one that found nothing.

use std::collections::BTreeSet;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use crate::source::files::{Unreadable, read as read_file, read_from, scan};

/// A text to check.
#[derive(Debug)]
pub(super) struct Text {
    /// What its problems call it.
    pub(super) name: String,
    pub(super) content: String,
}

/// Why there is nothing to check: the user's paths, or what is there.
#[derive(Debug, thiserror::Error)]
pub(super) enum InputError {
    #[error(
        "nothing to check: name files or folders, or write objects to standard input, as with \
         kubectl get ingresses,services,endpointslices,ingressclasses --all-namespaces --output yaml | \
         sluice-control-plane check -"
    )]
    NoInput,
    #[error("{} cannot be read", path.display())]
    Path {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{name} cannot be checked")]
    File {
        name: String,
        #[source]
        source: Unreadable,
    },
    #[error(
        "there is no file *.yaml, *.yml or *.json in {}: name another folder, or the files themselves",
        folder.display()
    )]
    NoFile { folder: PathBuf },
    #[error("there is nothing in {names}: see why whatever should have written objects did not")]
    Empty { names: String },
}

/// Reads all that is named, each file once; standard input if nothing is.
///
/// # Errors
///
/// If something cannot be read, or nothing is in any of it.
pub(super) fn read(paths: &[PathBuf]) -> Result<Vec<Text>, InputError> {
    let mut reader = Reader::default();
    if paths.is_empty() {
        if io::stdin().is_terminal() {
            return Err(InputError::NoInput);
        }
        reader.stdin()?;
    }
    for path in paths {
        if path.as_os_str() == "-" {
            reader.stdin()?;
        } else {
            reader.path(path)?;
        }
    }
    let texts = reader.texts;
    if texts.iter().all(|text| text.content.trim().is_empty()) {
        let names: Vec<_> = texts.into_iter().map(|text| text.name).collect();
        return Err(InputError::Empty {
            names: names.join(" and "),
        });
    }
    Ok(texts)
}

#[derive(Default)]
struct Reader {
    texts: Vec<Text>,
    has_stdin: bool,
    /// A file may be named beside the folder that it is in.
    seen: BTreeSet<PathBuf>,
}

impl Reader {
    fn stdin(&mut self) -> Result<(), InputError> {
        if std::mem::replace(&mut self.has_stdin, true) {
            return Ok(());
        }
        self.take_in(STDIN.to_owned(), read_from(io::stdin().lock()))
    }

    fn path(&mut self, path: &Path) -> Result<(), InputError> {
        let unreadable = |source| InputError::Path {
            path: path.to_owned(),
            source,
        };
        if !path.metadata().map_err(unreadable)?.is_dir() {
            // A file that is named counts, whatever it is called.
            return self.file(path, || read_file(path));
        }
        let found = scan(path).map_err(unreadable)?;
        if found.is_empty() {
            return Err(InputError::NoFile {
                folder: path.to_owned(),
            });
        }
        for (file, content) in found {
            self.file(&path.join(file), || content)?;
        }
        Ok(())
    }

    fn file(
        &mut self,
        path: &Path,
        content: impl FnOnce() -> Result<String, Unreadable>,
    ) -> Result<(), InputError> {
        let canonical = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        if !self.seen.insert(canonical) {
            return Ok(());
        }
        self.take_in(path.display().to_string(), content())
    }

    fn take_in(
        &mut self,
        name: String,
        content: Result<String, Unreadable>,
    ) -> Result<(), InputError> {
        match content {
            Ok(content) => self.texts.push(Text { name, content }),
            Err(source) => return Err(InputError::File { name, source }),
        }
        Ok(())
    }
}

/// As compilers call it.
const STDIN: &str = "<stdin>";
