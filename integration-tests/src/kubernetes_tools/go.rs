//! Go as it is installed, and the modules that pin what is built with it.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, bail};

/// A module of this package.
#[derive(Clone, Copy, Debug)]
pub(super) enum Module {
    /// Kubernetes, etcd and what looks at them.
    Kubernetes,
    /// CoreDNS, which wants other versions of what it shares with Kubernetes.
    CoreDns,
}

impl Module {
    /// Where its `go.mod` is.
    pub(super) fn folder(self) -> PathBuf {
        let name = match self {
            Self::Kubernetes => "kubernetes-tools",
            Self::CoreDns => "coredns",
        };
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)
    }
}

/// A name for everything that decides what a build makes.
pub(super) fn pin() -> String {
    let mut hash = blake3::Hasher::new();
    let modules = [GO_MOD, GO_SUM, COREDNS, COREDNS_MOD, COREDNS_SUM];
    for part in modules.into_iter().chain([FLAGS, std::env::consts::ARCH]) {
        hash.update(part.as_bytes()).update(b"\0");
    }
    hash.finalize().to_hex()[..16].to_owned()
}

/// Checks that Go is there and new enough, so that a test fails with what to install.
pub(super) fn check() -> anyhow::Result<()> {
    let needed = GO_MOD
        .lines()
        .find_map(|line| line.strip_prefix("go "))
        .context("go.mod has no go line")?;
    let remedy = format!(
        "the Kubernetes tier builds its programs from Go modules: install Go {needed} or newer \
         (https://go.dev/dl/), or set SLUICE_KUBERNETES_TOOLS to a folder that has the programs"
    );
    // Asked inside the module, Go switches to the version that go.mod wants where it may, or
    // refuses.
    let asked = Command::new("go")
        .args(["env", "GOVERSION"])
        .current_dir(Module::Kubernetes.folder())
        .output()
        .with_context(|| format!("cannot run `go`; {remedy}"))?;
    let version = String::from_utf8_lossy(&asked.stdout).trim().to_owned();
    if !asked.status.success() {
        bail!(
            "`go` is unfit: {}; {remedy}",
            String::from_utf8_lossy(&asked.stderr).trim()
        );
    }
    if numbers(version.trim_start_matches("go")) < numbers(needed) {
        bail!("`go` is {version}; {remedy}");
    }
    Ok(())
}

/// The numbers of a version, for comparison: `1.26rc1` counts as `1.26`.
fn numbers(version: &str) -> Vec<u32> {
    let digits = |part: &str| {
        part.chars()
            .take_while(char::is_ascii_digit)
            .collect::<String>()
            .parse()
            .unwrap_or(0)
    };
    version.split('.').map(digits).collect()
}

/// The flags that every program is linked with: without a version, clients of the API server
/// misbehave.
pub(super) const FLAGS: &str = "-s -w -X k8s.io/component-base/version.gitVersion=v1.36.3 \
    -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=36";

const GO_MOD: &str = include_str!("../../kubernetes-tools/go.mod");
const GO_SUM: &str = include_str!("../../kubernetes-tools/go.sum");
const COREDNS: &str = include_str!("../../coredns/main.go");
const COREDNS_MOD: &str = include_str!("../../coredns/go.mod");
const COREDNS_SUM: &str = include_str!("../../coredns/go.sum");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_number() {
        assert!(numbers("1.9.7") < numbers("1.26.0"));
        assert!(numbers("1.26.8") > numbers("1.26.0"));
        assert!(numbers("2.0") > numbers("1.26.0"));
        assert_eq!(numbers("1.26rc1"), [1, 26]);
    }

    #[test]
    fn the_linked_version_is_the_pinned_one() {
        let version = FLAGS
            .split("gitVersion=")
            .nth(1)
            .unwrap()
            .split(' ')
            .next()
            .unwrap();
        assert!(
            GO_MOD.contains(&format!("\tk8s.io/kubernetes {version}\n")),
            "{version}"
        );
    }
}
