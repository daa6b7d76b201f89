//! The command `check`, by transcripts: what stands behind a `$` is run, and what it prints is compared as a whole.
//!
//! Those of `tests/check` run in that folder, those of `docs/check.md` at the top of the repository. With
//! `SLUICE_REWRITE_GOLDEN=1` they are written anew.

use std::fs;
use std::path::{Path, PathBuf};

use tokio::process::Command;

use crate::wait::soon;

#[tokio::test]
async fn transcripts_are_what_it_prints() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/check");
    let mut transcripts: Vec<PathBuf> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .collect();
    transcripts.sort();
    assert!(transcripts.len() >= FEWEST, "{transcripts:?}");
    for transcript in transcripts {
        let text = fs::read_to_string(&transcript).unwrap();
        let is = replayed(&text, &folder).await;
        settle(&transcript, &text, &is);
    }
}

#[tokio::test]
async fn the_page_shows_what_it_prints() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let page = root.join("docs/check.md");
    let text = fs::read_to_string(&page).unwrap();
    let mut is = String::new();
    let mut examples = 0;
    for (index, part) in text.split(FENCE).enumerate() {
        match part.strip_prefix(CONSOLE).filter(|_| index % 2 == 1) {
            Some(transcript) => {
                examples += 1;
                is += &format!("{CONSOLE}{}", replayed(transcript, &root).await);
            }
            None => is += part,
        }
        is += FENCE;
    }
    let is = is.strip_suffix(FENCE).unwrap();
    assert!(examples >= 2, "the page has {examples} examples");
    settle(&page, &text, is);
}

/// Returns the transcript as it is when its commands are run in this folder: what stands before the first, then each with
/// what it prints.
async fn replayed(transcript: &str, folder: &Path) -> String {
    let is_command = |line: &&str| line.starts_with(PROMPT);
    let before = transcript.split_inclusive('\n');
    let mut is: String = before.take_while(|line| !is_command(line)).collect();
    for (index, line) in transcript.lines().filter(is_command).enumerate() {
        let printed = run(&line[PROMPT.len()..], folder).await;
        let separator = if index == 0 { "" } else { "\n" };
        is += &format!("{separator}{line}\n{printed}");
    }
    is
}

/// Returns what a line of shell prints, to both outputs.
async fn run(line: &str, folder: &Path) -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_sluice-control-plane"));
    let path = format!("{}:/usr/bin:/bin", program.parent().unwrap().display());
    let mut shell = Command::new("/bin/sh");
    shell
        .args(["-c", &format!("exec 2>&1; {line}")])
        .current_dir(folder)
        .env_clear()
        .env("PATH", path)
        .stdin(std::process::Stdio::null())
        .kill_on_drop(true);
    let output = soon(line, shell.output()).await.unwrap();
    String::from_utf8(output.stdout).unwrap()
}

fn settle(file: &Path, text: &str, is: &str) {
    if std::env::var_os("SLUICE_REWRITE_GOLDEN").is_some() {
        fs::write(file, is).unwrap();
    } else {
        assert!(
            text == is,
            "{} should be\n{is}\nif that is right, set SLUICE_REWRITE_GOLDEN=1 and read what it writes",
            file.display()
        );
    }
}

const PROMPT: &str = "$ ";
const FENCE: &str = "```";
const CONSOLE: &str = "console\n";
const FEWEST: usize = 6;
