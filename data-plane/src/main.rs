//! The program `sluice-data-plane`: parses its arguments and runs the library.

use std::process::ExitCode;

use clap::Parser;
use sluice_data_plane::args::Args;

// Small and short-lived allocations make up most of a proxied request; measured, the system's allocator costs more.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Before anything makes a TLS configuration. It fails only if there is one already, which is as good.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    match sluice_data_plane::app::main(Args::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
