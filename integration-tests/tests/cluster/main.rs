//! Sluice on three real nodes, installed with its own manifests and images, under a constant load from outside, while
//! everything happens to it that happens to nodes, rollouts and networks. `cargo cluster-tests` prints a table; what is
//! promised there and not kept makes it fail.
//!
//! Not a libtest harness: the scenarios share one cluster, which takes a minute to start, so they run one after the other
//! and say what they are at. This file takes the arguments and cleans up; [`run`] is what happens in between, in a
//! process of its own, so that whatever ends that one, Ctrl-C included, leaves nothing behind.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod knocking;
mod needs;
mod run;
mod scenarios;
mod stage;
mod table;
mod traffic;

use std::process::{Command, ExitCode};

use anyhow::Context as _;
use clap::Parser;
use sluice_integration_tests::namespace;
use tokio::signal::unix::{SignalKind, signal};

/// Runs Sluice on three real nodes and prints what became of the traffic.
#[derive(Clone, Debug, Parser)]
#[command(name = "cargo cluster-tests")]
struct Arguments {
    /// Everything, at full length (about 45 minutes); without it, the short set (about 10 minutes)
    #[arg(long)]
    full: bool,

    /// Only the scenarios whose name contains one of these
    #[arg(value_name = "NAME")]
    only: Vec<String>,

    /// Print the scenarios' names and end
    #[arg(long)]
    list: bool,

    /// When all is over, leave the cluster up until Ctrl-C, and say how to look at it
    #[arg(long)]
    keep: bool,

    /// Set by the process that cleans up, for the one that runs
    #[arg(long, hide = true)]
    inner: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = if arguments.list {
        for scenario in scenarios::ALL {
            println!("{:<24} {}", scenario.name, scenario.event);
        }
        Ok(true)
    } else if arguments.inner {
        run::all(&arguments)
    } else {
        in_a_process_of_its_own()
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs this program again, and removes what it leaves behind, however it ends.
fn in_a_process_of_its_own() -> anyhow::Result<bool> {
    let mut command = Command::new(std::env::current_exe().context("this program has no path")?);
    command.arg("--inner").args(std::env::args_os().skip(1));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start a runtime")?;
    let succeeded = runtime.block_on(async {
        // A terminal sends Ctrl-C to both processes; this one stays to clean up.
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut inner = tokio::process::Command::from(command)
            .kill_on_drop(true)
            .spawn()?;
        tokio::select! {
            status = inner.wait() => status.map(|status| status.success()),
            _ = interrupt.recv() => inner.kill().await.map(|()| false),
            _ = terminate.recv() => inner.kill().await.map(|()| false),
        }
    });
    namespace::sweep().context("cannot clean up; the next run tries again")?;
    succeeded.context("cannot run the scenarios")
}
