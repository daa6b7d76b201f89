//! Measures how soon changes are live, and what they cost; see [`sluice_integration_tests::benchmark`].

use clap::Parser;
use sluice_integration_tests::benchmark::Benchmark;

/// Creates thousands of Ingresses in a real API server and measures how soon another one is live.
#[derive(Parser)]
#[command(name = "cargo benchmark")]
struct Arguments {
    /// With how many Ingresses, ascending
    #[arg(long, value_delimiter = ',', default_values_t = [1000, 5000, 10_000])]
    ingresses: Vec<usize>,
    /// How many changes are measured at each size
    #[arg(long, default_value_t = 50)]
    samples: usize,
    /// Leave Traefik out
    #[arg(long)]
    without_traefik: bool,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    Benchmark {
        sizes: arguments.ingresses,
        samples: arguments.samples,
        traefik: !arguments.without_traefik,
    }
    .run()
}
