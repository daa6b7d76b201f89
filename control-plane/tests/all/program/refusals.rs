//! What it refuses to start with: each an exit code and an error that names it.

use std::fs;
use std::path::Path;
use std::process::Output;

use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::program::process::command;
use crate::wait::soon;

fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("files")).unwrap();
    folder
}

/// Returns how it ended, and what it said.
async fn refused(folder: &Path, flags: &[&str]) -> (Option<i32>, String) {
    let output = command(folder, flags).output();
    let Output { status, stderr, .. } = soon("its end", output).await.unwrap();
    (status.code(), String::from_utf8(stderr).unwrap())
}

#[tokio::test]
async fn malformed_settings() {
    let folder = folder();
    let settings = folder.path().join("settings.yaml");
    fs::write(&settings, "limits:\n  headerBytse: 1\n").unwrap();
    let name = settings.to_str().unwrap();
    let (code, said) = refused(folder.path(), &["--settings", name]).await;
    assert_eq!(code, Some(1), "{said}");
    for part in [name, "line 2", "headerBytse"] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[tokio::test]
async fn unknown_flags() {
    let (code, said) = refused(folder().path(), &["--metrics-adress", "x"]).await;
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("--metrics-adress"), "{said}");
    assert!(
        said.contains("--metrics-address"),
        "it suggests one: {said}"
    );
}

#[tokio::test]
async fn a_folder_that_is_not_there() {
    let folder = folder();
    fs::remove_dir(folder.path().join("files")).unwrap();
    let (code, said) = refused(folder.path(), &[]).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains(folder.path().join("files").to_str().unwrap()),
        "{said}"
    );
}

#[tokio::test]
async fn an_address_that_is_taken() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for flag in [
        "--metrics-address",
        "--stream-address",
        "--introspection-address",
    ] {
        let (code, said) = refused(folder().path(), &[flag, &address]).await;
        assert_eq!(code, Some(1), "{said}");
        assert!(
            said.contains(&address) && said.contains(flag),
            "{flag}: {said}"
        );
    }
}

#[tokio::test]
async fn a_log_filter_that_is_none() {
    let (code, said) = refused(folder().path(), &["--log", "sluice=loud"]).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("sluice=loud"), "{said}");
}

#[tokio::test]
async fn a_kubeconfig_that_is_not_there() {
    let folder = folder();
    let none = folder.path().join("none");
    let flags = ["--source", "kube", "--kubeconfig", none.to_str().unwrap()];
    let (code, said) = refused(folder.path(), &flags).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains(none.to_str().unwrap()), "{said}");
}
