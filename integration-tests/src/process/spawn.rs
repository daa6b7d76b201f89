//! One thread that starts every program and lasts as long as the test process.
//!
//! The kernel's "parent death" signal is sent when the *thread* that started a program ends, and
//! the threads of tests end with their test, while a program may be handed on.

use std::io;
use std::process::{Child, Command};
use std::sync::LazyLock;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

/// Starts `command` from the lasting thread.
pub(super) fn from_lasting_thread(command: Command) -> io::Result<Child> {
    let requests = REQUESTS
        .as_ref()
        .map_err(|error| io::Error::new(error.kind(), error.to_string()))?;
    let (answer, started) = sync_channel(1);
    requests
        .send(Request { command, answer })
        .map_err(io::Error::other)?;
    started.recv().map_err(io::Error::other)?
}

struct Request {
    command: Command,
    answer: SyncSender<io::Result<Child>>,
}

/// The thread's inbox. It is never closed: the thread ends with the process, which is its purpose.
static REQUESTS: LazyLock<io::Result<SyncSender<Request>>> = LazyLock::new(|| {
    let (requests, inbox) = sync_channel::<Request>(1);
    thread::Builder::new()
        .name("spawner".to_owned())
        .spawn(move || {
            for Request {
                mut command,
                answer,
            } in inbox
            {
                // Nobody waits for the answer any more: then the child is dropped, and dies with
                // this process.
                let _ = answer.send(command.spawn());
            }
        })?;
    Ok(requests)
});
