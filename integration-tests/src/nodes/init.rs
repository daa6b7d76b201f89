//! A node's namespaces: made with its first process, entered by its programs, gone with it.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::yield_now;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use tokio::time::Instant;

use crate::namespace::Namespace;
use crate::process::{Process, Program};

/// A node's first process. Dropping it ends everything on the node at once: the kernel kills a process tree with its
/// first process, and removes mounts that nobody sees any more.
#[derive(Debug)]
pub(super) struct Init {
    process: Process,
    first: i32,
}

impl Init {
    /// Makes the namespaces; the node sees the machine's files, but for `/run`, `/var/lib` and `/var/log`, which are in
    /// its folder.
    pub(super) fn start(namespace: &Namespace, name: &str) -> anyhow::Result<Self> {
        let folder = namespace.folder();
        let up = folder.join("up");
        remove_if_there(&up)?;
        let mut process = Program::new(name, "unshare", &namespace.logs())
            .inside(namespace)
            .args(["--pid", "--fork", "--kill-child", "--mount", "--uts", "--"])
            .arg(script())
            .arg(folder)
            .args([name, namespace.name()])
            .start()?;
        let deadline = Instant::now() + LIMIT;
        while !up.exists() {
            if let Some(status) = process.ended()? {
                bail!("{name} cannot be made ({status}): {}", process.last_lines());
            }
            ensure!(Instant::now() < deadline, "{name} does not come up");
            yield_now();
        }
        let first = child_of(process.id())?;
        Ok(Self { process, first })
    }

    /// A program of the machine that runs on the node.
    pub(super) fn program(&self, name: &str, path: impl Into<PathBuf>, logs: &Path) -> Program {
        Program::new(name, "nsenter", logs)
            .args(self.entrance())
            // A program on the node is the child of nsenter, which has to stay to be its parent.
            .args(["setpriv", "--pdeathsig", "KILL", "--"])
            .arg(path.into())
    }

    /// Runs a program on the node to its end and returns what it printed.
    pub(super) fn run(&self, command: &[&str]) -> anyhow::Result<String> {
        let shown = command.join(" ");
        let ran = Command::new("nsenter")
            .args(self.entrance())
            .args(command)
            .output()
            .with_context(|| format!("cannot run {shown}"))?;
        ensure!(
            ran.status.success(),
            "{shown} failed ({}): {}",
            ran.status,
            String::from_utf8_lossy(&ran.stderr).trim()
        );
        String::from_utf8(ran.stdout)
            .with_context(|| format!("{shown} printed something that is not UTF-8"))
    }

    /// Ends everything on the node at once, as a power failure does.
    pub(super) fn kill(&mut self) -> anyhow::Result<()> {
        self.process.kill().map(drop)
    }

    /// What it said last.
    pub(super) fn last_lines(&self) -> String {
        self.process.last_lines()
    }

    fn entrance(&self) -> Vec<OsString> {
        let target = format!("--target={}", self.first);
        [&target, "--pid", "--mount", "--net", "--uts", "--cgroup"]
            .into_iter()
            .chain(["--"])
            .map(OsString::from)
            .collect()
    }
}

/// The only child of `unshare`.
fn child_of(parent: u32) -> anyhow::Result<i32> {
    let path = format!("/proc/{parent}/task/{parent}/children");
    let children = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let child = children.split_ascii_whitespace().next();
    child
        .and_then(|id| id.parse().ok())
        .with_context(|| format!("{path} names no process"))
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/nodes/init")
}

fn remove_if_there(path: &Path) -> anyhow::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

const LIMIT: Duration = Duration::from_secs(20);
