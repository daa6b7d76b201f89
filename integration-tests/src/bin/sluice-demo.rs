//! Sluice at work on this machine: `cargo demo`. See [`sluice_integration_tests::demo`].

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser;
use sluice_integration_tests::demo::{Addresses, Demo};
use sluice_integration_tests::programs::Programs;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

/// Runs a control plane, three data planes and a few backends on this machine, until Ctrl-C.
#[derive(Parser)]
#[command(name = "sluice-demo", bin_name = "cargo demo")]
struct Arguments {
    /// The port from which all others are counted
    #[arg(long, value_name = "PORT", default_value_t = Addresses::DEFAULT_BASE)]
    base_port: u16,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let addresses = Addresses::from_base(arguments.base_port)?;
    // Before the minutes that a first build takes.
    addresses.require_free()?;
    // The first time takes minutes. Ctrl-C ends it as it ends any build: nothing else runs yet.
    let programs = Programs::build()?;
    let runtime = Runtime::new().context("cannot start a runtime")?;
    let demo = runtime.block_on(async {
        let mut stop = std::pin::pin!(told_to_stop()?);
        let mut demo = tokio::select! {
            started = Demo::start(&programs, addresses) => started?,
            () = &mut stop => return anyhow::Ok(None),
        };
        println!("{}", demo.guide());
        tokio::select! {
            error = demo.watch() => Err(error),
            () = stop => Ok(Some(demo)),
        }
    })?;
    match demo {
        Some(demo) => {
            println!("Ending ...");
            demo.stop()
        }
        None => Ok(()),
    }
}

/// Completes at Ctrl-C and at SIGTERM.
fn told_to_stop() -> anyhow::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot watch for Ctrl-C")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot watch for SIGTERM")?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}
