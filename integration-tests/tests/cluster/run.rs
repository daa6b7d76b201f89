//! From nothing to the last row: builds what the cluster needs, starts it, runs the scenarios, prints the table.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::ensure;
use sluice_integration_tests::programs::{Programs, build_images, repository, run};
use tokio::time::Instant;

use crate::scenarios::{self, Scenario};
use crate::stage::Stage;
use crate::table::{self, Row};
use crate::{Arguments, needs};

/// Runs them, and returns whether all promises were kept.
pub(crate) fn all(arguments: &Arguments) -> anyhow::Result<bool> {
    needs::check()?;
    let chosen = chosen(arguments)?;
    let images = images()?;
    let mut stage = Stage::start(&images, arguments.full)?;
    table::print_header();
    let (mut kept, mut broken) = (0, 0);
    for scenario in chosen {
        eprintln!("{}: {}", scenario.name, scenario.event);
        let started = Instant::now();
        let mut row = Row::default();
        if let Err(error) = (scenario.run)(&mut stage, &mut row) {
            row.broken(format_args!("{error:#}\n{}", stage.last_lines()));
        }
        row.print(scenario.name, started.elapsed());
        if row.broken.is_empty() {
            kept += 1;
        } else {
            broken += 1;
        }
        if let Err(error) = stage.calm_down() {
            println!(
                "the cluster does not come to rest after {}, so nothing more can be shown: {error:#}",
                scenario.name
            );
            broken += 1;
            break;
        }
    }
    println!("{kept} passed, {broken} failed");
    if arguments.keep {
        stage.wait_for_interrupt()?;
    }
    Ok(broken == 0)
}

fn chosen(arguments: &Arguments) -> anyhow::Result<Vec<&'static Scenario>> {
    let wanted = |scenario: &&Scenario| {
        let only = &arguments.only;
        if only.is_empty() {
            arguments.full || scenario.short
        } else {
            scenario.name == scenarios::FIRST
                || only.iter().any(|name| scenario.name.contains(&**name))
        }
    };
    let chosen: Vec<_> = scenarios::ALL.iter().filter(wanted).collect();
    for name in &arguments.only {
        ensure!(
            chosen
                .iter()
                .any(|scenario| scenario.name.contains(&**name)),
            "no scenario's name contains {name:?}; --list prints them"
        );
    }
    Ok(chosen)
}

/// Makes the images of Sluice as a user would, and those that only tests need.
fn images() -> anyhow::Result<Vec<PathBuf>> {
    let output = build_images()?;
    let echo = &Programs::built_once()?.echo;
    let test_images = output.join("test");
    let script = repository().join("integration-tests/src/nodes/test-images");
    run(Command::new(script).arg(echo).arg(&test_images))?;
    // By their names: an older version may still be beside them.
    let mut archives: Vec<_> = ["control-plane", "data-plane"]
        .map(|plane| output.join(format!("{plane}-{}-amd64.tar", env!("CARGO_PKG_VERSION"))))
        .into();
    for archive in &archives {
        let bytes = std::fs::metadata(archive)?.len();
        ensure!(
            bytes < MOST_BYTES,
            "{} has {bytes} bytes",
            archive.display()
        );
    }
    for entry in std::fs::read_dir(&test_images)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "tar") {
            archives.push(path);
        }
    }
    archives.sort();
    Ok(archives)
}

/// Of an image of Sluice: 25 MiB.
const MOST_BYTES: u64 = 25 << 20;
/// For what takes a busy machine with two cores a while.
pub(crate) const LIMIT: Duration = Duration::from_secs(180);
