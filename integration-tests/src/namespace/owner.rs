//! Whose namespace it is, read from its name alone: a run that was killed can tell nobody else.

use std::fmt;
use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::Context as _;

/// A process, told apart from a later one with the same id by when it started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    process: u32,
    /// In clock ticks since the machine started, as the kernel gives it.
    started: u64,
}

impl Owner {
    pub(super) fn this_process() -> anyhow::Result<Self> {
        let process = std::process::id();
        let started = started(process).context("cannot read /proc/self/stat")?;
        Ok(Self { process, started })
    }

    /// A name that no other namespace has or has had.
    pub(super) fn next_name(self) -> String {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        format!("{self}-{}", NUMBER.fetch_add(1, Ordering::Relaxed))
    }

    /// Reads the owner from a name; `None` for a name that is not one of ours.
    pub(super) fn of(name: &str) -> Option<Self> {
        let mut parts = name.strip_prefix(PREFIX)?.split('-');
        let owner = Self {
            process: parts.next()?.parse().ok()?,
            started: parts.next()?.parse().ok()?,
        };
        let _number: u32 = parts.next()?.parse().ok()?;
        parts.next().is_none().then_some(owner)
    }

    /// Whether the process is still there.
    pub(super) fn lives(self) -> bool {
        started(self.process) == Some(self.started)
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{PREFIX}{}-{}", self.process, self.started)
    }
}

/// When a process started, or `None` if there is none.
fn started(process: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // proc_pid_stat(5): "(2) comm … in parentheses", which may itself hold spaces and parentheses;
    // "(22) starttime" is then the twentieth field after the last parenthesis.
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_ascii_whitespace().nth(19)?.parse().ok()
}

const PREFIX: &str = "sluice-";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_its_owner() {
        let owner = Owner::this_process().unwrap();
        let (first, second) = (owner.next_name(), owner.next_name());
        assert_ne!(first, second);
        assert_eq!(Owner::of(&first), Some(owner));
        assert!(owner.lives());
    }

    #[test]
    fn a_later_process_with_the_same_id_is_another() {
        let mut owner = Owner::this_process().unwrap();
        owner.started += 1;
        assert!(!owner.lives());
    }

    #[test]
    fn other_names_are_not_ours() {
        for name in [
            "",
            "sluice-",
            "sluice-1",
            "sluice-1-2",
            "sluice-1-2-",
            "sluice-1-2-x",
            "sluice-1-2-3-4",
            "cni-1-2-3",
        ] {
            assert_eq!(Owner::of(name), None, "{name}");
        }
    }
}
