//! Running code of the test itself inside a namespace.

use std::fs::File;
use std::os::fd::AsFd as _;
use std::panic::resume_unwind;
use std::path::Path;
use std::thread;

use anyhow::Context as _;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// Runs `scenario` on a thread and a runtime inside the namespace at `path`.
///
/// A network namespace belongs to a thread, and a new thread is in that of the thread that made it.
/// So one thread enters, and makes the runtime: all its workers are inside, and no other thread of
/// the test is.
pub(super) fn run<T: Send>(
    path: &Path,
    scenario: impl AsyncFnOnce() -> anyhow::Result<T> + Send,
) -> anyhow::Result<T> {
    thread::scope(|scope| {
        let inside = move || {
            enter(path)?;
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(WORKERS)
                .enable_all()
                .build()
                .context("cannot start a runtime")?;
            runtime.block_on(scenario())
        };
        let name = thread::current().name().unwrap_or("scenario").to_owned();
        let thread = thread::Builder::new()
            .name(name)
            .spawn_scoped(scope, inside)
            .context("cannot start a thread")?;
        thread.join().unwrap_or_else(|panic| resume_unwind(panic))
    })
}

fn enter(path: &Path) -> anyhow::Result<()> {
    let namespace =
        File::open(path).with_context(|| format!("there is no namespace {}", path.display()))?;
    move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
        .with_context(|| format!("cannot enter the namespace {}", path.display()))
}

const WORKERS: usize = 2;
