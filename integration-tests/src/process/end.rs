//! The end of a program as a level that can be waited for with a limit, which the standard library
//! has no call for.

use std::io;
use std::process::Child;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::io::retry_on_intr;
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

/// Whether a program has ended; it stays that way.
#[derive(Debug)]
pub(super) struct End {
    /// Closed when the program has ended; nothing is ever sent.
    over: Mutex<Receiver<()>>,
}

impl End {
    /// Starts to watch `child`, on a thread that ends with it.
    pub(super) fn of(child: &Child) -> io::Result<Self> {
        let id = Pid::from_child(child);
        let (running, over) = sync_channel(0);
        thread::Builder::new()
            .name("end of a program".to_owned())
            .spawn(move || {
                // NOWAIT leaves the program's entry in place, so that its id stays its own until
                // the owner asks how it ended. An error means that the owner has: it is over too.
                let _ = retry_on_intr(|| {
                    waitid(
                        WaitId::Pid(id),
                        WaitIdOptions::EXITED | WaitIdOptions::NOWAIT,
                    )
                });
                drop(running);
            })?;
        Ok(Self {
            over: Mutex::new(over),
        })
    }

    /// Returns when it is over, or after `limit`.
    pub(super) fn wait(&self, limit: Duration) {
        // Both outcomes are errors to the channel: closed, or nothing came in time. The owner asks
        // the kernel.
        let over = self.over.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = over.recv_timeout(limit);
    }
}
