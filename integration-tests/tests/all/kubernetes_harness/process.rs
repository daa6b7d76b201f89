//! Programs: their output, their end, and what a failure shows.

use std::fs;
use std::time::Duration;

use sluice_integration_tests::process::Program;
use tempfile::tempdir;

#[test]
fn output_goes_to_the_log_and_the_environment_stays_out() {
    let folder = tempdir().unwrap();
    let script = "echo out; echo error >&2; echo \"$GIVEN,$HOME\"";
    let program = Program::new("talker", "/bin/sh", folder.path())
        .args(["-c", script])
        .env("GIVEN", "given");
    for _ in 0..2 {
        let mut process = program.start().unwrap();
        assert!(process.wait(LIMIT).unwrap().unwrap().success());
    }
    assert_eq!(
        fs::read_to_string(folder.path().join("talker.log")).unwrap(),
        "out\nerror\ngiven,\n".repeat(2)
    );
}

#[test]
fn the_id_is_the_programs_own() {
    let folder = tempdir().unwrap();
    let process = Program::new("sleeper", "/bin/sleep", folder.path())
        .arg("1000")
        .start()
        .unwrap();
    assert!(runs(process.id()));
    let name = || fs::read_to_string(format!("/proc/{}/comm", process.id())).unwrap();
    // Until then it is still `setpriv`.
    while name() != "sleep\n" {
        std::thread::yield_now();
    }
}

#[test]
fn dropping_ends_it() {
    let folder = tempdir().unwrap();
    let process = Program::new("sleeper", "/bin/sleep", folder.path())
        .arg("1000")
        .start()
        .unwrap();
    let id = process.id();
    drop(process);
    assert!(!runs(id));
}

#[tokio::test]
async fn stopping_kills_what_does_not_end_and_says_so() {
    let folder = tempdir().unwrap();
    let script = "trap 'echo not now' TERM; echo deaf; while :; do sleep 0.1; done";
    let mut process = Program::new("deaf", "/bin/sh", folder.path())
        .args(["-c", script])
        .start()
        .unwrap();
    let text = folder.path().join("deaf.log");
    process
        .wait_until("it to be deaf", LIMIT, async || logged(&text, "deaf"))
        .await
        .unwrap();
    let error = process
        .stop(Duration::from_millis(500))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("deaf had not ended") && error.contains("not now"),
        "{error}"
    );
    assert!(process.ended().unwrap().is_some());
    assert!(!runs(process.id()));
}

#[tokio::test]
async fn waiting_gives_up_when_it_has_ended_and_shows_what_it_said() {
    let folder = tempdir().unwrap();
    let script = "echo the disk is full; exit 3";
    let mut process = Program::new("short-lived", "/bin/sh", folder.path())
        .args(["-c", script])
        .start()
        .unwrap();
    let error = process
        .wait_until("a miracle", LIMIT, async || Err::<(), _>("none so far"))
        .await
        .unwrap_err()
        .to_string();
    for part in [
        "a miracle",
        "short-lived has ended",
        "exit status: 3",
        "the disk is full",
    ] {
        assert!(error.contains(part), "{part:?} is not in: {error}");
    }
}

#[tokio::test]
async fn waiting_ends_at_its_limit_with_the_last_reason() {
    let limit = Duration::from_millis(100);
    let wait = sluice_integration_tests::wait::until("a miracle", limit, async || {
        Err::<(), _>("none so far")
    });
    assert_eq!(
        wait.await.unwrap_err().to_string(),
        "waited 100ms for a miracle; last: none so far"
    );
    let hung = sluice_integration_tests::wait::until(
        "a miracle",
        limit,
        std::future::pending::<Result<(), String>>,
    );
    assert!(
        hung.await
            .unwrap_err()
            .to_string()
            .contains("the last look hung")
    );
}

fn logged(path: &std::path::Path, what: &str) -> Result<(), String> {
    match fs::read_to_string(path) {
        Ok(text) if text.contains(what) => Ok(()),
        other => Err(format!("{other:?}")),
    }
}

/// Whether a process with this id runs; one that has ended and was not waited for does not.
pub(super) fn runs(id: u32) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{id}/stat")) else {
        return false;
    };
    let (_, state) = stat.rsplit_once(") ").unwrap();
    !state.starts_with('Z')
}

const LIMIT: Duration = Duration::from_secs(60);
