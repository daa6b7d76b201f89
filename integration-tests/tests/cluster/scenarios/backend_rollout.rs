//! A backend is rolled out anew: its pods stop accepting at SIGTERM, before anybody can know, and finish what they have.

use crate::stage::{ALL_NODES, Stage};
use crate::table::Row;
use crate::traffic::Traffic;

pub(crate) fn run(stage: &mut Stage, row: &mut Row) -> anyhow::Result<()> {
    stage.outside(async |stage| roll(stage, row).await)
}

/// The same while nobody tells the data planes: they reach the new pods through the Service's own address.
pub(crate) fn without_control_plane(stage: &mut Stage, row: &mut Row) -> anyhow::Result<()> {
    stage.outside(async |stage| {
        stage.scale_control_plane(0).await?;
        roll(stage, row).await?;
        stage.scale_control_plane(2).await
    })
}

async fn roll(stage: &Stage, row: &mut Row) -> anyhow::Result<()> {
    // Pods that end take their WebSockets with them, so this load has none.
    let traffic = Traffic::requests_through(stage, &ALL_NODES);
    traffic.wait_for_more(300).await?;
    for _ in 0..stage.rounds() {
        stage.restart("honeydue", "deployment/api").await?;
        traffic.wait_for_more(300).await?;
    }
    traffic.stop(row).await;
    Ok(())
}
