//! The log file of one program: opened for its output, read for a failure's message.

use std::fs::{self, File};
use std::path::PathBuf;

use anyhow::Context as _;

/// A program's log file.
#[derive(Clone, Debug)]
pub(super) struct Log {
    path: PathBuf,
}

impl Log {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Two handles that append: one for the output, one for the errors.
    pub(super) fn open(&self) -> anyhow::Result<(File, File)> {
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder)
                .with_context(|| format!("cannot create {}", folder.display()))?;
        }
        let place = || format!("cannot open the log {}", self.path.display());
        let output = File::options()
            .create(true)
            .append(true)
            .open(&self.path)
            .with_context(place)?;
        let errors = output.try_clone().with_context(place)?;
        Ok((output, errors))
    }

    pub(super) fn read(&self) -> anyhow::Result<String> {
        let bytes = fs::read(&self.path)
            .with_context(|| format!("cannot read the log {}", self.path.display()))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    pub(super) fn last_lines(&self) -> String {
        let text = match self.read() {
            Ok(text) => text,
            Err(error) => return format!("  ({error:#})"),
        };
        let lines: Vec<&str> = text.lines().collect();
        if lines.is_empty() {
            return "  (nothing)".to_owned();
        }
        let last = &lines[lines.len().saturating_sub(SHOWN)..];
        last.iter()
            .map(|line| format!("  {line}"))
            .collect::<Vec<_>>()
            .join("\n")
    }
}

/// Lines of a log that a failure shows.
const SHOWN: usize = 30;
