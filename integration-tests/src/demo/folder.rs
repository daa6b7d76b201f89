//! The demonstration's folder: a copy of the examples to be edited, and whatever the programs write. It is removed at
//! the end; what a killed demonstration left is removed by the next one.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use rustix::fs::{FlockOperation, flock};
use tempfile::TempDir;

use super::Addresses;
use crate::programs::repository;

#[derive(Debug)]
pub(super) struct Folder {
    folder: TempDir,
    // Held for as long as the folder is in use.
    _lock: File,
}

impl Folder {
    pub(super) fn create(addresses: &Addresses) -> anyhow::Result<Self> {
        remove_abandoned();
        let place = std::env::temp_dir();
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(&place);
        let folder =
            folder.with_context(|| format!("cannot create a folder in {}", place.display()))?;
        let lock = lock(folder.path())
            .with_context(|| format!("cannot lock {}", folder.path().display()))?;
        let folder = Self {
            folder,
            _lock: lock,
        };
        folder.copy_examples(addresses)?;
        Ok(folder)
    }

    /// The YAML that the control plane reads.
    pub(super) fn objects(&self) -> PathBuf {
        self.path().join("objects")
    }

    pub(super) fn settings(&self) -> PathBuf {
        self.path().join("settings.yaml")
    }

    pub(super) fn identity(&self) -> PathBuf {
        self.path().join("identity")
    }

    pub(super) fn state(&self, node: &str) -> PathBuf {
        self.path().join("state").join(node)
    }

    pub(super) fn logs(&self) -> PathBuf {
        self.path().join("logs")
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn remove(self) -> anyhow::Result<()> {
        let path = self.path().to_owned();
        self.folder
            .close()
            .with_context(|| format!("cannot remove {}", path.display()))
    }

    fn copy_examples(&self, addresses: &Addresses) -> anyhow::Result<()> {
        let examples = repository().join("examples");
        fs::create_dir(self.objects())?;
        copy(
            &examples.join("settings.yaml"),
            &self.settings(),
            str::to_owned,
        )?;
        for file in ["ingresses.yaml", "services.yaml"] {
            copy(
                &examples.join("honeydue").join(file),
                &self.objects().join(file),
                str::to_owned,
            )?;
        }
        let slices = "endpointslices.yaml";
        copy(
            &examples.join("honeydue").join(slices),
            &self.objects().join(slices),
            |text| on_ports(text, *addresses),
        )
    }
}

/// The EndpointSlices of the examples, for pods on the ports of this demonstration.
fn on_ports(slices: &str, addresses: Addresses) -> String {
    let examples = Addresses::of_examples();
    // Line by line: with replacements of the whole text, one might replace what the other has put there.
    let lines = slices.lines().map(|line| match line.split_once("port: ") {
        Some((before, port)) if port == examples.api_port().to_string() => {
            format!("{before}port: {}\n", addresses.api_port())
        }
        Some((before, port)) if port == examples.admin_port().to_string() => {
            format!("{before}port: {}\n", addresses.admin_port())
        }
        _ => format!("{line}\n"),
    });
    lines.collect()
}

fn copy(from: &Path, to: &Path, change: impl Fn(&str) -> String) -> anyhow::Result<()> {
    let text =
        fs::read_to_string(from).with_context(|| format!("cannot read {}", from.display()))?;
    fs::write(to, change(&text)).with_context(|| format!("cannot write {}", to.display()))
}

/// The lock is taken under another name and renamed: one that is found is always held by somebody, or abandoned.
fn lock(folder: &Path) -> anyhow::Result<File> {
    let unfinished = folder.join("lock.new");
    let lock = File::create(&unfinished)?;
    flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
    fs::rename(unfinished, folder.join(LOCK))?;
    Ok(lock)
}

/// Removes the folders of demonstrations that were killed. One that cannot be removed (another user's, say) is left.
fn remove_abandoned() {
    let Ok(entries) = fs::read_dir(std::env::temp_dir()) else {
        return;
    };
    for folder in entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX))
    {
        let abandoned = || -> anyhow::Result<()> {
            ensure!(folder.file_type()?.is_dir(), "no folder");
            let lock = File::open(folder.path().join(LOCK))?;
            flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
            Ok(fs::remove_dir_all(folder.path())?)
        };
        let _ = abandoned();
    }
}

const PREFIX: &str = "sluice-demo-";
const LOCK: &str = "lock";
