//! Building what the cache lacks: one process at a time, one program at a time, each put in its
//! place whole.

use std::fs::{self, File};
use std::io::{Write as _, stderr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::time::Instant;

use super::{GoProgram, go, missing_in};
use crate::process::Program;

/// Builds the programs that are missing from the folder for this pin, and returns that folder.
pub(super) fn missing(cache: &Path, programs: &[GoProgram]) -> anyhow::Result<PathBuf> {
    let place = cache.join(go::pin());
    let folder = place.join("bin");
    if missing_in(&folder, programs).is_empty() {
        return Ok(folder);
    }
    go::check()?;
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let _lock = lock(&place)?;
    // Another process may have built them while this one waited.
    let missing = missing_in(&folder, programs);
    let started = Instant::now();
    for (number, program) in missing.iter().enumerate() {
        let count = format!("{} of {}", number + 1, missing.len());
        build(
            *program,
            &place,
            &format!(
                "building {} ({count}; the first time only, about {MINUTES} minutes for all)",
                program.name
            ),
            started,
        )?;
    }
    Ok(folder)
}

/// Builds one program beside its place and renames it into it: a build that is interrupted leaves
/// nothing that looks whole.
fn build(program: GoProgram, place: &Path, title: &str, started: Instant) -> anyhow::Result<()> {
    let unfinished = place.join(format!("{}.unfinished", program.name));
    let log = format!("build-{}", program.name);
    // An earlier attempt's errors would only confuse.
    let _ = fs::remove_file(place.join(format!("{log}.log")));
    let mut build = Program::new(&log, "go", place)
        // Here, unlike in a test, the user's environment is wanted: where Go keeps its caches, how
        // it gets modules.
        .envs(std::env::vars_os())
        .env("CGO_ENABLED", "0")
        .env("GOWORK", "off")
        .arg("build")
        .arg("-C")
        .arg(program.module.folder())
        .args(["-mod=readonly", "-trimpath", "-ldflags", go::FLAGS, "-o"])
        .arg(&unfinished)
        .arg(program.package)
        .start()?;
    let status = loop {
        say(&format!("{title}: {} s", started.elapsed().as_secs()));
        if let Some(status) = build.wait(BETWEEN_REPORTS)? {
            break status;
        }
    };
    if !status.success() {
        bail!(
            "`go build {}` failed ({status}):\n{}",
            program.package,
            build.last_lines()
        );
    }
    let finished = place.join("bin").join(program.name);
    fs::rename(&unfinished, &finished)
        .with_context(|| format!("cannot put {} in its place", finished.display()))
}

/// Waits until no other process builds.
fn lock(place: &Path) -> anyhow::Result<File> {
    let path = place.join("lock");
    let context = || format!("cannot lock {}", path.display());
    let file = File::options()
        .create(true)
        .append(true)
        .open(&path)
        .with_context(context)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(fs::TryLockError::WouldBlock) => {
            say("waiting for another test to finish building the Kubernetes programs");
            file.lock().with_context(context)?;
        }
        Err(fs::TryLockError::Error(error)) => return Err(error).with_context(context),
    }
    Ok(file)
}

/// Tells the user. Not with `eprintln!`, which a test harness keeps to itself until the test is
/// over; and who closed the standard error does not want to know.
fn say(what: &str) {
    let _ = writeln!(stderr(), "kubernetes-tools: {what}");
}

const BETWEEN_REPORTS: Duration = Duration::from_secs(15);
/// Measured on two cores, downloads included.
const MINUTES: u32 = 7;
