//! The `ip` program: the only one that changes the machine's network, and only inside our
//! namespaces.

use std::io::Write as _;
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};
use rustix::process::geteuid;
use rustix::thread::{CapabilitySet, capabilities};

/// Checks that namespaces can be made at all, so that a test fails with what to install.
pub(super) fn check() -> anyhow::Result<()> {
    let allowed = capabilities(None)
        .context("cannot read this process' capabilities")?
        .effective;
    if !geteuid().is_root()
        || !allowed.contains(CapabilitySet::NET_ADMIN | CapabilitySet::SYS_ADMIN)
    {
        bail!("{NEEDS_ROOT}");
    }
    Command::new("ip")
        .arg("-V")
        .output()
        .context("cannot run `ip`: install iproute2 (Debian: apt-get install iproute2)")?;
    Ok(())
}

/// Runs `ip` with these arguments.
pub(super) fn run(arguments: &[&str]) -> anyhow::Result<()> {
    output(arguments).map(drop)
}

/// Runs `ip` with these arguments and returns what it printed.
pub(super) fn output(arguments: &[&str]) -> anyhow::Result<String> {
    let ran = Command::new("ip")
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .context("cannot run `ip`")?;
    if !ran.status.success() {
        bail!(
            "`ip {}` failed ({}): {}",
            arguments.join(" "),
            ran.status,
            complaint(&ran.stderr)
        );
    }
    String::from_utf8(ran.stdout).context("`ip` printed something that is not UTF-8")
}

/// Runs several `ip` commands inside a namespace, in one process.
pub(super) fn batch(namespace: &str, lines: &[String]) -> anyhow::Result<()> {
    let mut child = Command::new("ip")
        .args(["-netns", namespace, "-batch", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot run `ip -batch`")?;
    if let Some(mut input) = child.stdin.take() {
        input
            .write_all(lines.join("\n").as_bytes())
            .context("cannot write to `ip -batch`")?;
    }
    let ran = child
        .wait_with_output()
        .context("cannot wait for `ip -batch`")?;
    if !ran.status.success() {
        bail!(
            "`ip -netns {namespace} -batch` failed ({}): {}",
            ran.status,
            complaint(&ran.stderr)
        );
    }
    Ok(())
}

fn complaint(stderr: &[u8]) -> String {
    String::from_utf8_lossy(stderr).trim().to_owned()
}

const NEEDS_ROOT: &str = "the Kubernetes tier gives every test a network namespace, which \
    takes root with CAP_NET_ADMIN and CAP_SYS_ADMIN: run the tests as root (in a container: docker \
    run --privileged)";
