//! A node loses its power and comes back while there is no control plane: its data plane serves from the copy on its disk.
//! (The backends are elsewhere: what a lost pod was answering is lost, whoever is in front.)

use std::time::Duration;

use anyhow::Context as _;
use tokio::time::Instant;

use crate::stage::{Stage, wait_for_200};
use crate::table::Row;
use crate::traffic::Traffic;

pub(crate) fn run(stage: &mut Stage, row: &mut Row) -> anyhow::Result<()> {
    stage.outside(async |stage| {
        stage.move_backends_off_node_3().await?;
        stage.scale_control_plane(0).await?;
        let traffic = Traffic::through(stage, &[0, 1]);
        stage.nodes.node(2).power_off()?;
        traffic.wait_for_more(900).await?;
        stage.nodes.power_on(2)?;
        wait_for_200(2, "api.myhoneydue.com").await?;
        let served = Instant::now();
        let age = age(&stage.nodes.node(2).run(&["bash", "-c", AGE])?)?;
        let took = age.saturating_sub(served.elapsed());
        row.at_most("served after its start:", took, Duration::from_secs(2));
        stage.kubectl("uncordon node-3")?;
        stage.scale_control_plane(2).await?;
        traffic.stop(row).await;
        Ok(())
    })
}

/// Prints the machine's uptime and when the data plane was started, both in hundredths of a second.
const AGE: &str = "cut -d' ' -f1 /proc/uptime | tr -d .; \
    cut -d' ' -f22 /proc/$(pgrep -x sluice-data-pla | head -n 1)/stat";

fn age(printed: &str) -> anyhow::Result<Duration> {
    let mut numbers = printed.lines().map(str::parse::<u64>);
    let mut next = || -> anyhow::Result<u64> {
        Ok(numbers
            .next()
            .with_context(|| format!("{printed:?} has no times"))??)
    };
    let (now, started) = (next()?, next()?);
    Ok(Duration::from_millis(now.saturating_sub(started) * 10))
}
