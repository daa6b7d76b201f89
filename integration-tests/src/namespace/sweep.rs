//! Removing namespaces: one's own at the end of a test, and those of test runs that were killed.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, retry_on_intr};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::time::Instant;

use super::owner::Owner;
use super::{NAMESPACES, folder_of, ip};

/// Lets one test process at a time make or sweep namespaces, for as long as the file is held.
pub(super) fn lock() -> anyhow::Result<File> {
    let place = || format!("cannot lock {LOCK}");
    let file = File::options()
        .create(true)
        .append(true)
        .open(LOCK)
        .with_context(place)?;
    file.lock().with_context(place)?;
    Ok(file)
}

/// Removes what test runs left behind whose process is gone.
pub(super) fn abandoned() -> anyhow::Result<()> {
    for folder in [Path::new(NAMESPACES), &std::env::temp_dir()] {
        for name in names_in(folder)? {
            if Owner::of(&name).is_some_and(|owner| !owner.lives()) {
                remove(&name).with_context(|| {
                    format!("cannot sweep {name}, left behind by a test run that was killed")
                })?;
            }
        }
    }
    Ok(())
}

/// Ends every process inside the namespace, then removes it and its folder. Nothing runs inside but
/// what this package started there, or what that started in turn.
pub(super) fn remove(name: &str) -> anyhow::Result<()> {
    if Path::new(NAMESPACES).join(name).exists() {
        end_processes(name)?;
        ip::run(&["netns", "delete", name])?;
    }
    remove_cgroups(name)?;
    let folder = folder_of(name);
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}

/// Removes the groups of that name below every controller: those of a node of [`crate::nodes`], whose processes have
/// ended with its first.
fn remove_cgroups(name: &str) -> anyhow::Result<()> {
    for controller in names_in(Path::new(CGROUPS))? {
        let group = Path::new(CGROUPS).join(controller).join(name);
        if group.is_dir() {
            remove_cgroup(&group)
                .with_context(|| format!("cannot remove the cgroup {}", group.display()))?;
        }
    }
    Ok(())
}

/// Removes a group and those inside it. Their files are the kernel's, and go with them.
fn remove_cgroup(group: &Path) -> io::Result<()> {
    for entry in fs::read_dir(group)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_cgroup(&entry.path())?;
        }
    }
    let deadline = Instant::now() + LIMIT;
    loop {
        match fs::remove_dir(group) {
            // Who has just been killed leaves a moment later.
            Err(error) if error.kind() == ErrorKind::ResourceBusy && Instant::now() < deadline => {
                std::thread::yield_now();
            }
            removed => return removed,
        }
    }
}

/// Kills what is inside until nothing is: what was just killed takes a moment, and may have started
/// something.
fn end_processes(name: &str) -> anyhow::Result<()> {
    let namespace = Path::new(NAMESPACES).join(name);
    let deadline = Instant::now() + LIMIT;
    loop {
        let printed = ip::output(&["netns", "pids", name])?;
        let ids: Vec<i32> = printed
            .split_ascii_whitespace()
            .filter_map(|id| id.parse().ok())
            .collect();
        if ids.is_empty() {
            return Ok(());
        }
        if Instant::now() >= deadline {
            bail!("the processes {ids:?} in the namespace {name} do not end");
        }
        for id in ids {
            kill_inside(id, &namespace)
                .with_context(|| format!("cannot end the process {id} in the namespace {name}"))?;
        }
    }
}

/// Kills a process if it is in the namespace, and waits until it has ended: it leaves its namespaces
/// a moment before, so an empty namespace does not tell. The descriptor is taken before looking, so that the
/// id cannot come to mean another process between the look and the signal.
fn kill_inside(id: i32, namespace: &Path) -> io::Result<()> {
    let Some(process) = Pid::from_raw(id) else {
        return Ok(());
    };
    let process = match pidfd_open(process, PidfdFlags::empty()) {
        Err(Errno::SRCH) => return Ok(()),
        opened => opened?,
    };
    let expected = fs::metadata(namespace)?;
    match fs::metadata(format!("/proc/{id}/ns/net")) {
        Ok(actual) if (actual.dev(), actual.ino()) == (expected.dev(), expected.ino()) => {}
        _ => return Ok(()),
    }
    match pidfd_send_signal(&process, Signal::KILL) {
        Ok(()) => {}
        Err(Errno::SRCH) => return Ok(()),
        Err(error) => return Err(error.into()),
    }
    let limit = Timespec::try_from(LIMIT).map_err(io::Error::other)?;
    let mut ended = [PollFd::new(&process, PollFlags::IN)];
    match retry_on_intr(|| poll(&mut ended, Some(&limit)))? {
        0 => Err(ErrorKind::TimedOut.into()),
        _ => Ok(()),
    }
}

/// The names in a folder; none if there is no such folder, as before the first `ip netns add`.
fn names_in(folder: &Path) -> anyhow::Result<Vec<String>> {
    let place = || format!("cannot list {}", folder.display());
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.with_context(place)?,
    };
    let mut names = Vec::new();
    for entry in entries {
        names.extend(entry.with_context(place)?.file_name().into_string().ok());
    }
    names.sort_unstable();
    Ok(names)
}

const CGROUPS: &str = "/sys/fs/cgroup";
const LOCK: &str = "/run/sluice-integration-tests.lock";
const LIMIT: Duration = Duration::from_secs(10);
