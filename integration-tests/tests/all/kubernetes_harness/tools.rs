//! Where the programs of Kubernetes come from: a folder, the cache, or a build, which happens once
//! and leaves no half of anything.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use sluice_integration_tests::kubernetes_tools::KubernetesTools;
use tempfile::tempdir;

use super::again;

#[test]
fn the_programs_are_the_pinned_ones() {
    let tools = KubernetesTools::find().unwrap();
    for (program, argument, version) in [
        ("etcd", "--version", "etcd Version: 3.6.14"),
        ("kube-apiserver", "--version", "Kubernetes v1.36.3"),
        ("kubectl", "version", "Client Version: v1.36.3"),
        ("grpcurl", "--help", "Usage:"),
    ] {
        let mut command = Command::new(tools.program(program).unwrap());
        let ran = command
            .args(
                [argument]
                    .iter()
                    .chain((program == "kubectl").then_some(&"--client")),
            )
            .output()
            .unwrap();
        let said = String::from_utf8(ran.stdout).unwrap() + &String::from_utf8(ran.stderr).unwrap();
        assert!(said.contains(version), "{program}: {said}");
    }
}

#[test]
fn a_folder_that_lacks_programs_is_refused() {
    let folder = tempdir().unwrap();
    for (name, mode) in [("etcd", 0o755), ("kubectl", 0o644)] {
        fs::write(folder.path().join(name), "").unwrap();
        fs::set_permissions(folder.path().join(name), fs::Permissions::from_mode(mode)).unwrap();
    }
    let error = KubernetesTools::in_folder(folder.path().to_owned())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("has no executable kube-apiserver, kubectl, grpcurl;"),
        "{error}"
    );
    assert!(
        error.contains(&folder.path().display().to_string()),
        "{error}"
    );
}

#[test]
fn an_unknown_program_is_refused() {
    let folder = tempdir().unwrap();
    let tools = every_program_in(folder.path());
    assert_eq!(tools.program("etcd").unwrap(), folder.path().join("etcd"));
    assert!(
        tools
            .program("etcdctl")
            .unwrap_err()
            .to_string()
            .contains("etcdctl")
    );
}

/// Two runs at once, and a third: each program is built by one of them.
#[test]
fn a_build_happens_once() {
    if again::role().is_some() {
        return drop(KubernetesTools::find().unwrap());
    }
    let folder = tempdir().unwrap();
    let go = Go::new(
        folder.path(),
        "sleep 0.2; echo 'echo built' > \"$out\"; chmod +x \"$out\"",
    );
    let test = "kubernetes_harness::tools::a_build_happens_once";
    let spawn = || {
        go.run(test)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let pair = [spawn(), spawn()];
    let said: Vec<String> = pair
        .into_iter()
        .map(|run| succeeded(run.wait_with_output().unwrap()))
        .collect();
    assert!(
        said.concat()
            .contains("building etcd (1 of 4; the first time only, about"),
        "{said:?}"
    );
    succeeded(go.run(test).output().unwrap());
    assert_eq!(go.builds(), PACKAGES);
}

/// A build that fails names itself and its reason; what was built before stays, what was not is
/// built next time.
#[test]
fn a_failed_build_leaves_nothing_half_done() {
    if again::role().is_some() {
        return drop(KubernetesTools::find().unwrap());
    }
    let folder = tempdir().unwrap();
    let test = "kubernetes_harness::tools::a_failed_build_leaves_nothing_half_done";
    let write = "echo 'echo built' > \"$out\"; chmod +x \"$out\"";
    let failing =
        format!("{write}; case $package in */kubectl) echo no space left >&2; exit 1;; esac");
    let go = Go::new(folder.path(), &failing);
    let failed = go.run(test).output().unwrap();
    assert!(!failed.status.success());
    let said = String::from_utf8(failed.stderr).unwrap();
    assert!(
        said.contains("`go build k8s.io/kubernetes/cmd/kubectl` failed"),
        "{said}"
    );
    assert!(said.contains("no space left"), "{said}");

    let go = Go::new(folder.path(), write);
    succeeded(go.run(test).output().unwrap());
    let [etcd, api_server, kubectl, grpcurl] = PACKAGES;
    assert_eq!(go.builds(), [etcd, api_server, kubectl, kubectl, grpcurl]);
}

/// A `go` that notes what it is asked to build and does it in its own way: a real build takes
/// minutes, and fails
/// when it likes.
struct Go<'a> {
    folder: &'a Path,
}

impl<'a> Go<'a> {
    /// `build` is shell, with `$package` and `$out`.
    fn new(folder: &'a Path, build: &str) -> Self {
        let script = format!(
            "#!/bin/sh
if [ \"$1\" = env ]; then echo go1.99.0; exit; fi
while [ $# -gt 1 ]; do if [ \"$1\" = -o ]; then out=$2; fi; shift; done
package=$1
echo \"$package\" >> '{}/builds'
{build}
",
            folder.display()
        );
        fs::write(folder.join("go"), script).unwrap();
        fs::set_permissions(folder.join("go"), fs::Permissions::from_mode(0o755)).unwrap();
        Self { folder }
    }

    /// A run of the test that finds this `go` first, and an empty cache.
    fn run(&self, test: &str) -> Command {
        let mut path = self.folder.as_os_str().to_owned();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap());
        let mut run = again::run(test, "builder");
        run.env_remove("SLUICE_KUBERNETES_TOOLS")
            .env("SLUICE_CACHE_DIR", self.folder.join("cache"))
            .env("PATH", path);
        run
    }

    /// The packages it was asked to build, in order.
    fn builds(&self) -> Vec<String> {
        fs::read_to_string(self.folder.join("builds"))
            .unwrap()
            .lines()
            .map(str::to_owned)
            .collect()
    }
}

fn succeeded(ran: Output) -> String {
    let said = String::from_utf8(ran.stderr).unwrap();
    assert!(ran.status.success(), "{said}");
    said
}

/// A folder that looks complete. Nothing in it is run: the tests fail before that.
pub(super) fn every_program_in(folder: &Path) -> KubernetesTools {
    for name in ["etcd", "kube-apiserver", "kubectl", "grpcurl"] {
        fs::write(folder.join(name), "").unwrap();
        fs::set_permissions(folder.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
    KubernetesTools::in_folder(folder.to_owned()).unwrap()
}

const PACKAGES: [&str; 4] = [
    "go.etcd.io/etcd/server/v3",
    "k8s.io/kubernetes/cmd/kube-apiserver",
    "k8s.io/kubernetes/cmd/kubectl",
    "github.com/fullstorydev/grpcurl/cmd/grpcurl",
];
