//! A program started for a test: its output goes to a log file, it ends with the test that started
//! it, and what it last said is part of every failure. It is not a shell: no search path, no
//! inherited environment.
//!
//! A program ends in one of three ways: its [`Process`] is stopped or dropped; the test process
//! ends, however it ends (the kernel then kills the program: `setpriv --pdeathsig`); or, for one in
//! a network namespace that slipped through both, the next run's sweep (see [`crate::namespace`]).

mod end;
mod log;
mod program;
mod spawn;

use std::fmt::Display;
use std::process::{Child, ExitStatus};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use rustix::process::{Pid, Signal, kill_process};

use self::end::End;
use self::log::Log;
pub use self::program::Program;
use crate::wait;

/// A running program. Dropping it stops it.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    end: End,
    log: Log,
}

impl Process {
    fn new(name: String, mut child: Child, log: Log) -> anyhow::Result<Self> {
        match End::of(&child) {
            Ok(end) => Ok(Self {
                name,
                child,
                end,
                log,
            }),
            Err(error) => {
                // Nobody would end it any more.
                let _ = child.kill().and_then(|()| child.wait());
                Err(error).with_context(|| format!("cannot watch {name}"))
            }
        }
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its name, as given to [`Program::new`].
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The last lines of its log, for a failure's message.
    #[must_use]
    pub fn last_lines(&self) -> String {
        self.log.last_lines()
    }

    /// Everything it has logged so far, earlier starts included.
    pub fn log(&self) -> anyhow::Result<String> {
        self.log.read()
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        self.child
            .try_wait()
            .with_context(|| format!("cannot ask whether {} has ended", self.name))
    }

    /// Looks until `look` returns `Ok`, as [`crate::wait::until`] does, but gives up when the
    /// program ends; either way the error carries the last lines of its log.
    pub async fn wait_until<T, E: Display>(
        &mut self,
        what: &str,
        limit: Duration,
        look: impl AsyncFnMut() -> Result<T, E>,
    ) -> anyhow::Result<T> {
        let (child, log, name) = (&mut self.child, &self.log, &self.name);
        let still_runs = || match child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(anyhow!("{name} has ended ({status})")),
            Err(error) => Err(error.into()),
        };
        wait::until_or_given_up(what, limit, still_runs, look)
            .await
            .map_err(|error| anyhow!("{error:#}\n{name} last said:\n{}", log.last_lines()))
    }

    /// Asks it to end (SIGTERM) and returns at once.
    pub fn terminate(&self) -> anyhow::Result<()> {
        self.signal(Signal::TERM)
    }

    /// Stops it in its tracks (SIGSTOP), or lets it go on.
    pub fn pause(&self, paused: bool) -> anyhow::Result<()> {
        self.signal(if paused { Signal::STOP } else { Signal::CONT })
    }

    /// Kills it (SIGKILL), as a crash or a lost node would, and waits until it is gone.
    pub fn kill(&mut self) -> anyhow::Result<ExitStatus> {
        self.child
            .kill()
            .with_context(|| format!("cannot kill {}", self.name))?;
        self.child
            .wait()
            .with_context(|| format!("cannot wait for {}", self.name))
    }

    /// Waits for its end for at most `limit`; `None` means that it still runs. This blocks the
    /// thread it is called on, which a scenario's own future may do (see
    /// [`Namespace::run`](crate::namespace::Namespace::run)).
    pub fn wait(&mut self, limit: Duration) -> anyhow::Result<Option<ExitStatus>> {
        self.end.wait(limit);
        self.ended()
    }

    /// Asks it to end and waits; what has not ended within `grace` is killed, which is an error.
    pub fn stop(&mut self, grace: Duration) -> anyhow::Result<ExitStatus> {
        if let Some(status) = self.ended()? {
            return Ok(status);
        }
        self.terminate()?;
        if let Some(status) = self.wait(grace)? {
            return Ok(status);
        }
        self.kill()?;
        Err(anyhow!(
            "{} had not ended {grace:?} after SIGTERM and was killed; it last said:\n{}",
            self.name,
            self.last_lines()
        ))
    }

    fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        // Until `wait` has returned, the id cannot belong to another process.
        kill_process(Pid::from_child(&self.child), signal)
            .with_context(|| format!("cannot send {signal:?} to {}", self.name))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The error is that it was late or had ended; either way it is gone.
        let _ = self.stop(GRACE_WHEN_DROPPED);
    }
}

const GRACE_WHEN_DROPPED: Duration = Duration::from_secs(5);
