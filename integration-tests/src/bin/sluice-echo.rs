//! The backend of demonstrations and scenarios as a program; see [`sluice_integration_tests::echo`].

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser;
use sluice_integration_tests::certificates;
use sluice_integration_tests::echo::Echo;
use tokio::signal::unix::{SignalKind, signal};

/// Answers every request with what it saw of it.
#[derive(Parser)]
struct Arguments {
    /// Where to listen
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
    /// What it calls itself in its answers
    #[arg(long)]
    name: String,
    /// How long it still takes connections after SIGTERM, as a pod with a preStop sleep does
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 0)]
    linger_ms: u64,
    /// A chain and its key, as PEM in one file: speaks TLS with it
    #[arg(long, value_name = "FILE")]
    certificate: Option<PathBuf>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let mut terminate = signal(SignalKind::terminate()).context("cannot watch for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot watch for SIGINT")?;
    let linger = Duration::from_millis(arguments.linger_ms);
    let mut echo = Echo::bind(arguments.listen, &arguments.name, linger)
        .await
        .with_context(|| format!("cannot listen on {}", arguments.listen))?;
    if let Some(file) = &arguments.certificate {
        echo = echo.with_tls(certificates::server(file)?);
    }
    println!("{} listens on {}", arguments.name, echo.address()?);
    echo.serve(async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
    .await;
    Ok(())
}
