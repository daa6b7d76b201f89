//! The command `check`: what Sluice would serve of Kubernetes objects in files, and what is wrong with them, for people
//! before they migrate and for CI.
//!
//! It asks no cluster. It translates with the very code that a control plane runs, so it decides nothing about routes
//! itself: only what cannot be known of a cluster from what the input has (`known.rs`).
//!
//! ```text
//! paths --input.rs--> texts --parsed.rs--> objects, places --report.rs, served.rs--> report --text.rs--> text
//!                                          known.rs, notes.rs ---^                     `----> JSON
//! ```

mod input;
mod known;
mod notes;
mod parsed;
mod report;
mod served;
mod text;
mod written;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::builder::NonEmptyStringValueParser;
use clap::{Args as ClapArgs, ValueEnum};

use crate::args::Args;
use crate::check::parsed::Parsed;
use crate::check::report::Report;
use crate::settings;

/// What to check, and how to show it.
#[derive(Clone, Debug, ClapArgs)]
pub struct CheckArgs {
    /// Files, and folders of *.yaml, *.yml and *.json files with their subfolders; `-` is standard input, which is read
    /// if nothing is named, too.
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,

    /// Serves Ingresses of classes of this controller as well, such as traefik.io/ingress-controller: what
    /// `ingress.controllers` of the settings does. May be repeated.
    #[arg(long, value_name = "CONTROLLER", value_parser = NonEmptyStringValueParser::new())]
    adopt: Vec<String>,

    /// How it is shown.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    output: Output,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Output {
    /// For people.
    Text,
    /// One JSON object; docs/check.md says what is in it.
    Json,
}

/// Checks, prints what is found, and returns the exit code that says whether something is wrong.
pub async fn check(args: &Args, what: &CheckArgs) -> ExitCode {
    match report(args, what).await {
        Ok(report) if report.problems.is_empty() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(PROBLEMS),
        Err(error) => {
            eprintln!("sluice-control-plane: {error:#}");
            ExitCode::from(NOT_CHECKED)
        }
    }
}

/// Prints a report and returns it.
async fn report(args: &Args, what: &CheckArgs) -> anyhow::Result<Report> {
    let mut settings = settings::now(args.settings.as_deref()).await?;
    settings
        .ingress
        .controllers
        .extend(what.adopt.iter().cloned());
    let texts = input::read(&what.paths)?;
    let report = Report::of(&Parsed::of(&texts), settings, &what.adopt);
    let shown = match what.output {
        Output::Text => text::render(&report),
        Output::Json => serde_json::to_string_pretty(&report)? + "\n",
    };
    match io::stdout().write_all(shown.as_bytes()) {
        // Whoever reads has read enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        written => written.context("what was found cannot be printed")?,
    }
    Ok(report)
}

const PROBLEMS: u8 = 1;
const NOT_CHECKED: u8 = 2;
