//! The real kubectl, as a user runs it.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

use super::Cluster;

/// Runs kubectl inside the cluster's namespace with `input` on its standard input.
pub(super) fn run(
    cluster: &Cluster,
    kubeconfig: &Path,
    arguments: &[&str],
    input: &str,
) -> anyhow::Result<String> {
    let shown = format!("kubectl {}", arguments.join(" "));
    let folder = cluster.namespace.folder();
    let mut net = std::ffi::OsString::from("--net=");
    net.push(cluster.namespace.path());
    let mut child = Command::new("nsenter")
        .arg(net)
        .arg(cluster.tools.program("kubectl")?)
        .arg("--kubeconfig")
        .arg(kubeconfig)
        // An API server that does not answer is a failure, not a reason to wait for ever.
        .arg("--request-timeout=60s")
        .args(arguments)
        .env_clear()
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        // What it caches is this cluster's alone.
        .env("HOME", folder)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run {shown}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        // It reads everything before it prints anything; one that does not read has an error to
        // tell instead.
        let _ = stdin.write_all(input.as_bytes());
    }
    let ran = child
        .wait_with_output()
        .with_context(|| format!("cannot wait for {shown}"))?;
    if !ran.status.success() {
        bail!(
            "{shown} failed ({}): {}",
            ran.status,
            String::from_utf8_lossy(&ran.stderr).trim()
        );
    }
    String::from_utf8(ran.stdout)
        .with_context(|| format!("{shown} printed something that is not UTF-8"))
}
