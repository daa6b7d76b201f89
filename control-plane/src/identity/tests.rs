//! Tests of the identity folder: real files, real certificates.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;

const FILES: [&str; 10] = [
    "control-plane/ca.crt",
    "control-plane/ca.key",
    "control-plane/tls.crt",
    "control-plane/tls.key",
    "control-plane/default.crt",
    "control-plane/default.key",
    "data-plane/ca.crt",
    "data-plane/tls.crt",
    "data-plane/tls.key",
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

fn opened() -> (tempfile::TempDir, Identity) {
    let root = tempfile::tempdir().unwrap();
    let identity = Identity::open(root.path()).unwrap();
    (root, identity)
}

fn days(days: i64) -> Timestamp {
    Timestamp::from_second(Timestamp::now().as_second() + days * 24 * 3600).unwrap()
}

#[test]
fn what_is_missing_is_made_for_the_owner_only() {
    let root = tempfile::tempdir().unwrap();
    let nested = root.path().join("a/b");
    let identity = Identity::open(&nested).unwrap();
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
    let names = identity.lifetimes().map(|lifetime| lifetime.name);
    assert_eq!(
        names,
        ["authority", "control-plane", "data-plane", "default"]
    );
    let material = identity.default_certificate();
    assert_eq!(material.names, ["default.sluice.internal"]);
    assert!(material.is_valid_at(Timestamp::now().as_second()));
}

#[test]
fn what_is_good_is_used_again_and_nothing_is_written() {
    let (root, first) = opened();
    let before = content(root.path());
    fs::remove_file(root.path().join(".lock")).unwrap();
    let second = Identity::open(root.path()).unwrap();
    second.renew().unwrap();
    assert_eq!(changed(&before, root.path()), [""; 0]);
    assert!(!root.path().join(".lock").exists(), "it asked to write");
    assert_eq!(first.default_certificate(), second.default_certificate());
}

#[test]
fn what_is_missing_alone_is_made_alone() {
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
        (
            "control-plane/ca.crt",
            &["control-plane/ca.crt", "data-plane/ca.crt"],
        ),
    ] {
        let (root, _) = opened();
        let before = content(root.path());
        fs::remove_file(root.path().join(missing)).unwrap();
        Identity::open(root.path()).unwrap();
        assert_eq!(changed(&before, root.path()), expected, "{missing}");
    }
}

#[test]
fn the_last_third_of_a_life_is_the_time_for_a_new_one() {
    let (root, identity) = opened();
    let before = content(root.path());
    identity.renew_at(days(240)).unwrap();
    assert_eq!(changed(&before, root.path()), [""; 0]);
    identity.renew_at(days(250)).unwrap();
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

#[test]
fn a_renewed_authority_is_the_same_to_who_trusts_it() {
    let (root, identity) = opened();
    let before = content(root.path());
    identity.renew_at(days(7 * 365)).unwrap();
    let changed = changed(&before, root.path());
    assert!(changed.contains(&"control-plane/ca.crt"), "{changed:?}");
    assert!(changed.contains(&"data-plane/ca.crt"), "{changed:?}");
    assert!(!changed.contains(&"control-plane/ca.key"), "{changed:?}");

    // A data plane that still has the old copy takes the new server's certificate.
    use rustls::client::danger::ServerCertVerifier;
    use rustls_pki_types::pem::PemObject;
    use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
    let certificate = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(certificate(&before["control-plane/ca.crt"]))
        .unwrap();
    let verifier = rustls::client::WebPkiServerVerifier::builder_with_provider(
        Arc::new(roots),
        pem::provider(),
    );
    let seconds = days(7 * 365).as_second().try_into().unwrap();
    let verified = verifier.build().unwrap().verify_server_cert(
        &certificate(&content(root.path())["control-plane/tls.crt"]),
        &[],
        &ServerName::try_from(SERVER_NAME).unwrap(),
        &[],
        UnixTime::since_unix_epoch(Duration::from_secs(seconds)),
    );
    assert!(verified.is_ok(), "{verified:?}");
}

#[test]
fn a_malformed_file_is_named_and_left_alone() {
    let garbage = [
        &b"nonsense"[..],
        b"",
        b"\xff\xfe",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    ];
    let (root, _) = opened();
    for name in FILES {
        // A copy of what is known to be good is written again.
        if name == "data-plane/ca.crt" {
            continue;
        }
        let path = root.path().join(name);
        let good = fs::read(&path).unwrap();
        for garbage in garbage {
            fs::write(&path, garbage).unwrap();
            let error = Identity::open(root.path()).unwrap_err().to_string();
            assert!(error.contains(name), "{name}: {error}");
            assert_eq!(fs::read(&path).unwrap(), garbage, "{name}");
        }
        fs::write(&path, good).unwrap();
    }
    Identity::open(root.path()).unwrap();
}

#[test]
fn a_file_that_cannot_be_read_or_written_is_named() {
    let (root, _) = opened();
    let path = root.path().join("control-plane/ca.crt");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    let error = Identity::open(root.path()).unwrap_err().to_string();
    assert!(error.contains("cannot read") && error.contains("control-plane/ca.crt"));

    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("control-plane"), "").unwrap();
    let error = Identity::open(root.path()).unwrap_err().to_string();
    assert!(error.contains("control-plane"), "{error}");
}

#[test]
fn an_authority_without_its_key_is_not_replaced() {
    let (root, _) = opened();
    fs::remove_file(root.path().join("control-plane/ca.key")).unwrap();
    let error = Identity::open(root.path()).unwrap_err().to_string();
    assert!(error.contains("control-plane/ca.key"), "{error}");

    let (other, _) = opened();
    let name = "control-plane/ca.key";
    fs::copy(other.path().join(name), root.path().join(name)).unwrap();
    let error = Identity::open(root.path()).unwrap_err().to_string();
    assert!(error.contains("does not belong"), "{error}");

    let (root, _) = opened();
    for (from, to) in [("tls.crt", "ca.crt"), ("tls.key", "ca.key")] {
        let folder = root.path().join("control-plane");
        fs::copy(folder.join(from), folder.join(to)).unwrap();
    }
    let error = Identity::open(root.path()).unwrap_err().to_string();
    assert!(error.contains("not that of an authority"), "{error}");
}

#[test]
fn what_another_authority_issued_is_made_anew() {
    let (root, _) = opened();
    let (other, _) = opened();
    for folder in ["control-plane", "data-plane"] {
        for file in ["tls.crt", "tls.key"] {
            let name = Path::new(folder).join(file);
            fs::copy(other.path().join(&name), root.path().join(&name)).unwrap();
        }
    }
    let foreign = content(root.path());
    Identity::open(root.path()).unwrap();
    assert_eq!(changed(&foreign, root.path()).len(), 4);
}

#[test]
fn two_that_start_at_once_agree() {
    let root = tempfile::tempdir().unwrap();
    let materials: Vec<_> = std::thread::scope(|scope| {
        let open = || Identity::open(root.path()).unwrap().default_certificate();
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(open)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert!(materials.iter().all(|material| *material == materials[0]));
    let before = content(root.path());
    Identity::open(root.path()).unwrap();
    assert_eq!(changed(&before, root.path()), [""; 0]);
}
