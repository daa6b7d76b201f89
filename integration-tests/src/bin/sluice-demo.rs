//! Sluice at work on this machine: `cargo demo`. See [`sluice_integration_tests::demo`].

use anyhow::Context as _;
use clap::Parser;
use sluice_integration_tests::demo::{Addresses, Demo};
use sluice_integration_tests::programs::Programs;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

/// Runs a control plane, three data planes and a few backends on this machine, until Ctrl-C.
#[derive(Parser)]
#[command(name = "cargo demo")]
struct Arguments {
    /// The port from which all others are counted
    #[arg(long, value_name = "PORT", default_value_t = Addresses::DEFAULT_BASE)]
    base_port: u16,
}

fn main() -> anyhow::Result<()> {
    let addresses = Addresses::from_base(Arguments::parse().base_port)?;
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
