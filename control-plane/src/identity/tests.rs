//! Tests of the identity in a folder: real files, real certificates.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::*;

mod steps;

const FILES: [&str; 12] = [
    "control-plane/installation.id",
    "control-plane/ca.crt",
    "control-plane/ca.key",
    "control-plane/tls.crt",
    "control-plane/tls.key",
    "control-plane/default.crt",
    "control-plane/default.key",
    "data-plane/ca.crt",
    "data-plane/tls.crt",
    "data-plane/tls.key",
    "data-plane/installation.id",
    "data-plane/seal.key",
];

fn content(root: &Path) -> BTreeMap<&'static str, String> {
    let read = |name| (name, fs::read_to_string(root.join(name)).unwrap());
    FILES.into_iter().map(read).collect()
}

fn changed(before: &BTreeMap<&'static str, String>, root: &Path) -> Vec<&'static str> {
    let after = content(root);
    let names = FILES.into_iter();
    names.filter(|name| before[name] != after[name]).collect()
}

async fn open(root: &Path) -> Result<Identity, IdentityError> {
    Identity::open(Store::folder(root)).await
}

async fn opened() -> (tempfile::TempDir, Identity) {
    let root = tempfile::tempdir().unwrap();
    let identity = open(root.path()).await.unwrap();
    (root, identity)
}

fn days(days: i64) -> Timestamp {
    Timestamp::from_second(Timestamp::now().as_second() + days * 24 * 3600).unwrap()
}

#[tokio::test]
async fn what_is_missing_is_made_for_the_owner_only() {
    let root = tempfile::tempdir().unwrap();
    let nested = root.path().join("a/b");
    let identity = open(&nested).await.unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for name in FILES {
        assert_eq!(mode(&nested.join(name)), 0o600, "{name}");
    }
    for name in ["", "control-plane", "data-plane"] {
        assert_eq!(mode(&nested.join(name)), 0o700, "{name}");
    }
    let files = content(&nested);
    assert_eq!(files["data-plane/ca.crt"], files["control-plane/ca.crt"]);
    let seal = files["data-plane/seal.key"].trim_end();
    assert_eq!(seal.len(), 64);
    let lifetimes = identity.lifetimes();
    let names: Vec<_> = lifetimes.iter().map(|lifetime| lifetime.name).collect();
    assert_eq!(
        names,
        ["authority", "control-plane", "data-plane", "default"]
    );
    let material = identity.default_certificate();
    assert_eq!(material.names, ["default.sluice.internal"]);
    assert!(material.is_valid_at(Timestamp::now().as_second()));
}

#[tokio::test]
async fn what_is_good_is_used_again_and_nothing_is_written() {
    let (root, first) = opened().await;
    let before = content(root.path());
    fs::remove_file(root.path().join(".lock")).unwrap();
    let second = open(root.path()).await.unwrap();
    second.refresh().await.unwrap();
    assert_eq!(changed(&before, root.path()), [""; 0]);
    assert!(!root.path().join(".lock").exists(), "it asked to write");
    assert_eq!(first.default_certificate(), second.default_certificate());
}

#[tokio::test]
async fn what_is_missing_alone_is_made_alone() {
    for (missing, expected) in [
        (
            "control-plane/tls.key",
            &["control-plane/tls.crt", "control-plane/tls.key"][..],
        ),
        (
            "data-plane/tls.crt",
            &["data-plane/tls.crt", "data-plane/tls.key"],
        ),
        ("data-plane/seal.key", &["data-plane/seal.key"]),
        ("data-plane/ca.crt", &[]),
        ("data-plane/installation.id", &[]),
        ("control-plane/installation.id", &[]),
        (
            "control-plane/ca.crt",
            &["control-plane/ca.crt", "data-plane/ca.crt"],
        ),
    ] {
        let (root, _) = opened().await;
        let before = content(root.path());
        fs::remove_file(root.path().join(missing)).unwrap();
        open(root.path()).await.unwrap();
        assert_eq!(changed(&before, root.path()), expected, "{missing}");
    }
}

#[tokio::test]
async fn the_last_third_of_a_life_is_the_time_for_a_new_one() {
    let (root, identity) = opened().await;
    let before = content(root.path());
    identity.refresh_at(days(240)).await.unwrap();
    assert_eq!(changed(&before, root.path()), [""; 0]);
    identity.refresh_at(days(250)).await.unwrap();
    let pairs = [
        "control-plane/tls.crt",
        "control-plane/tls.key",
        "data-plane/tls.crt",
        "data-plane/tls.key",
    ];
    assert_eq!(changed(&before, root.path()), pairs);
    for lifetime in identity.lifetimes() {
        assert!(lifetime.not_after > days(400), "{}", lifetime.name);
    }
}

#[tokio::test]
async fn a_malformed_file_is_named_and_left_alone() {
    let garbage = [
        &b"nonsense"[..],
        b"",
        b"\xff\xfe",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    ];
    let (root, _) = opened().await;
    for name in FILES {
        // A copy of what is known to be good is written again.
        if ["data-plane/ca.crt", "data-plane/installation.id"].contains(&name) {
            continue;
        }
        let path = root.path().join(name);
        let good = fs::read(&path).unwrap();
        for garbage in garbage {
            fs::write(&path, garbage).unwrap();
            let error = open(root.path()).await.unwrap_err().to_string();
            assert!(error.contains(name), "{name}: {error}");
            assert_eq!(fs::read(&path).unwrap(), garbage, "{name}");
        }
        fs::write(&path, good).unwrap();
    }
    open(root.path()).await.unwrap();
}

#[tokio::test]
async fn a_file_that_cannot_be_read_or_written_is_named() {
    let (root, _) = opened().await;
    let path = root.path().join("control-plane/ca.crt");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    let error = open(root.path()).await.unwrap_err().to_string();
    assert!(error.contains("cannot read") && error.contains("control-plane/ca.crt"));

    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("control-plane"), "").unwrap();
    let error = open(root.path()).await.unwrap_err().to_string();
    assert!(error.contains("control-plane"), "{error}");
}

#[tokio::test]
async fn an_authority_without_its_key_is_not_replaced() {
    let (root, _) = opened().await;
    fs::remove_file(root.path().join("control-plane/ca.key")).unwrap();
    let error = open(root.path()).await.unwrap_err().to_string();
    assert!(error.contains("control-plane/ca.key"), "{error}");

    let (other, _) = opened().await;
    let name = "control-plane/ca.key";
    fs::copy(other.path().join(name), root.path().join(name)).unwrap();
    let error = open(root.path()).await.unwrap_err().to_string();
    assert!(error.contains("does not belong"), "{error}");

    let (root, _) = opened().await;
    for (from, to) in [("tls.crt", "ca.crt"), ("tls.key", "ca.key")] {
        let folder = root.path().join("control-plane");
        fs::copy(folder.join(from), folder.join(to)).unwrap();
    }
    let error = open(root.path()).await.unwrap_err().to_string();
    assert!(error.contains("not that of an authority"), "{error}");
}

#[tokio::test]
async fn what_another_authority_issued_is_made_anew() {
    let (root, _) = opened().await;
    let (other, _) = opened().await;
    for folder in ["control-plane", "data-plane"] {
        for file in ["tls.crt", "tls.key"] {
            let name = Path::new(folder).join(file);
            fs::copy(other.path().join(&name), root.path().join(&name)).unwrap();
        }
    }
    let foreign = content(root.path());
    open(root.path()).await.unwrap();
    assert_eq!(changed(&foreign, root.path()).len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn several_that_start_at_once_agree() {
    let root = tempfile::tempdir().unwrap();
    let mut opening = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let root = root.path().to_owned();
        opening.spawn(async move { open(&root).await.unwrap().default_certificate() });
    }
    let materials = opening.join_all().await;
    assert!(materials.iter().all(|material| *material == materials[0]));
    let before = content(root.path());
    open(root.path()).await.unwrap();
    assert_eq!(changed(&before, root.path()), [""; 0]);
}

#[tokio::test]
async fn a_new_default_certificate_is_told() {
    let (root, identity) = opened().await;
    let mut told = identity.follow_default_certificate();
    identity.refresh().await.unwrap();
    assert!(!told.has_changed().unwrap(), "nothing changed");
    fs::remove_file(root.path().join("control-plane/default.crt")).unwrap();
    identity.refresh().await.unwrap();
    assert!(told.has_changed().unwrap());
    assert_eq!(*told.borrow_and_update(), identity.default_certificate());
}
