//! The program `sluice-control-plane`: arguments in, exit code out. Everything else is in the library.

use std::process::ExitCode;

use clap::Parser;
use sluice_control_plane::{Args, Command, app, check, log, renew, status};

// One thread is plenty: what takes long, translation, has threads of its own. With more, each event of a watch wakes a second
// one for nothing.
#[tokio::main(worker_threads = 1)]
async fn main() -> ExitCode {
    let args = Args::parse();
    // Two of the libraries could each bring another provider: the choice is made here, once, before any TLS.
    let provider = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let run = async {
        provider.map_err(|_| anyhow::anyhow!("a TLS provider was installed already"))?;
        log::start(&args.log, args.log_format)?;
        match &args.command {
            None => app::run(args).await?,
            Some(Command::Check(what)) => return anyhow::Ok(check::check(&args, what).await),
            Some(Command::ClearStatus) => status::clear::clear(&args).await?,
            Some(Command::Renew(what)) => renew::renew(&args, what).await?,
        }
        Ok(ExitCode::SUCCESS)
    };
    match run.await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("sluice-control-plane: {error:#}");
            ExitCode::FAILURE
        }
    }
}
