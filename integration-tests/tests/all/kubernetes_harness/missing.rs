//! What is missing on the machine fails the test, with what to install; nothing is skipped.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use sluice_integration_tests::kubernetes::Cluster;
use tempfile::tempdir;

use super::again;
use super::tools::every_program_in;

#[test]
fn without_go() {
    if again::role().is_some() {
        return start_a_cluster();
    }
    let cache = tempdir().unwrap();
    let mut run = again::run("kubernetes_harness::missing::without_go", "starter");
    run.env_remove("SLUICE_KUBERNETES_TOOLS")
        .env("SLUICE_CACHE_DIR", cache.path())
        .env("PATH", "/nowhere");
    assert_fails_with(
        &mut run,
        &[
            "cannot run `go`",
            "install Go 1.26.0 or newer",
            "SLUICE_KUBERNETES_TOOLS",
        ],
    );
}

#[test]
fn with_a_go_that_is_too_old() {
    if again::role().is_some() {
        return start_a_cluster();
    }
    let folder = tempdir().unwrap();
    let go = folder.path().join("go");
    fs::write(&go, "#!/bin/sh\necho go1.19.8\n").unwrap();
    fs::set_permissions(&go, fs::Permissions::from_mode(0o755)).unwrap();
    let mut run = again::run(
        "kubernetes_harness::missing::with_a_go_that_is_too_old",
        "starter",
    );
    run.env_remove("SLUICE_KUBERNETES_TOOLS")
        .env("SLUICE_CACHE_DIR", folder.path())
        .env("PATH", folder.path());
    assert_fails_with(
        &mut run,
        &["`go` is go1.19.8", "install Go 1.26.0 or newer"],
    );
}

#[test]
fn without_iproute2() {
    if again::role().is_some() {
        return start_a_cluster();
    }
    let folder = tempdir().unwrap();
    every_program_in(folder.path());
    let mut run = again::run("kubernetes_harness::missing::without_iproute2", "starter");
    run.env("SLUICE_KUBERNETES_TOOLS", folder.path())
        .env("PATH", "/nowhere");
    assert_fails_with(&mut run, &["cannot run `ip`", "apt-get install iproute2"]);
}

#[test]
fn without_the_rights() {
    if again::role().is_some() {
        return start_a_cluster();
    }
    let folder = tempdir().unwrap();
    every_program_in(folder.path());
    let run = again::run("kubernetes_harness::missing::without_the_rights", "starter");
    // Root in name only, as in an ordinary container.
    let mut powerless = Command::new("setpriv");
    powerless
        .args(["--bounding-set=-all", "--inh-caps=-all", "--"])
        .arg(run.get_program())
        .args(run.get_args());
    powerless.envs(
        run.get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    powerless.env("SLUICE_KUBERNETES_TOOLS", folder.path());
    let said = assert_fails_with(
        &mut powerless,
        &["run the tests as root", "run --privileged"],
    );
    // Found out before anything is tried: a sweep of what a killed run left would fail halfway.
    assert!(!said.contains("Operation not permitted"), "{said}");
}

fn start_a_cluster() {
    drop(Cluster::start().unwrap());
}

fn assert_fails_with(run: &mut Command, parts: &[&str]) -> String {
    let ran = run.output().unwrap();
    let said =
        String::from_utf8_lossy(&ran.stdout).into_owned() + &String::from_utf8_lossy(&ran.stderr);
    assert!(!ran.status.success(), "it passed: {said}");
    for part in parts {
        assert!(said.contains(part), "{part:?} is not in: {said}");
    }
    said
}
