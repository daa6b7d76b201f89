//! The command `renew` beside a control plane that runs on the same folder.

use std::fs;
use std::process::Output;

use tokio::process::Command;

use crate::program::process::Program;
use crate::wait::{soon, until};

#[tokio::test]
async fn a_running_control_plane_goes_on_with_what_was_renewed() {
    let program = Program::start(&[], &[]).await;
    program
        .metric("sluice_generation ", |value| value == 1)
        .await;
    let file = |name: &str| fs::read_to_string(program.path("identity").join(name)).unwrap();

    // The default certificate is among them, and nodes are to have it at once.
    let said = renew(&program, &["certificates"]).await;
    assert!(said.contains("The certificates are made anew"), "{said}");
    program
        .metric("sluice_generation ", |value| value == 2)
        .await;

    let signs = file("control-plane/ca.crt");
    let said = renew(&program, &["authority", "--overlap", "1s"]).await;
    assert!(said.contains("It signs after 20"), "{said}");
    until("the next authority signs", async || {
        (file("control-plane/ca.crt") != signs).then_some(())
    })
    .await;
    assert!(
        file("data-plane/ca.crt").contains(&signs),
        "it stays trusted"
    );

    let key = file("data-plane/seal.key");
    let said = renew(&program, &["seal"]).await;
    assert!(said.contains("The seal key is made anew"), "{said}");
    assert_eq!(file("data-plane/seal.key.previous"), key);
}

#[tokio::test]
async fn it_can_wait_until_the_next_authority_signs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let words = [
        "renew",
        "authority",
        "--overlap=1s",
        "--wait",
        "--identity-dir",
        path,
    ];
    let (code, said) = run(&words).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("The next authority signs now"), "{said}");
    assert!(!folder.path().join("control-plane/next-ca.crt").exists());
}

#[tokio::test]
async fn what_is_distrusted_is_waited_for_and_only_authorities_are() {
    let folder = tempfile::tempdir().unwrap();
    let place = ["--identity-dir", folder.path().to_str().unwrap()];
    let words = ["authority", "--distrust", "--overlap=1s", "--wait"];
    let (code, said) = run(&[&["renew"], &words[..], &place].concat()).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("then no more"), "{said}");
    assert!(said.contains("Those before are trusted no more"), "{said}");
    let bundle = fs::read_to_string(folder.path().join("data-plane/ca.crt")).unwrap();
    assert_eq!(bundle.matches("BEGIN").count(), 1);
    let (code, said) = run(&[&["renew", "seal", "--distrust"], &place[..]].concat()).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("renew authority --distrust"), "{said}");
}

#[tokio::test]
async fn it_says_what_it_lacks() {
    let (code, said) = run(&["renew", "authority"]).await;
    assert_eq!(code, Some(1), "{said}");
    for flag in ["--namespace", "--identity-dir"] {
        assert!(said.contains(flag), "{flag}: {said}");
    }
    let (code, said) = run(&["renew", "authority", "--overlap=soon"]).await;
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("such as 30s or 10m"), "{said}");
}

async fn renew(program: &Program, words: &[&str]) -> String {
    let identity = program.path("identity");
    let place = ["--identity-dir", identity.to_str().unwrap()];
    let (code, said) = run(&[&["renew"], words, &place].concat()).await;
    assert_eq!(code, Some(0), "{said}");
    said
}

/// Returns how it ended, and what it said.
async fn run(words: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sluice-control-plane"));
    let command = command.args(words).env_clear().kill_on_drop(true);
    let Output {
        status,
        stdout,
        stderr,
    } = soon("its end", command.output()).await.unwrap();
    let said = [stdout, stderr].concat();
    (status.code(), String::from_utf8(said).unwrap())
}
