//! A backend is rolled out anew: its pods stop accepting at SIGTERM, before anybody can know, and finish what they have.

use crate::stage::{ALL_NODES, Stage};
use crate::table::Row;
use crate::traffic::Traffic;

pub(crate) fn run(stage: &mut Stage, row: &mut Row) -> anyhow::Result<()> {
    stage.outside(async |stage| {
        // Pods that end take their WebSockets with them, so this load has none.
        let traffic = Traffic::requests_through(&ALL_NODES);
        traffic.wait_for_more(300).await?;
        stage.restart("honeydue", "deployment/api").await?;
        traffic.wait_for_more(300).await?;
        traffic.stop(row).await;
        if stage.full {
            without_control_plane(stage, row).await?;
        }
        Ok(())
    })
}

/// The same while nobody tells the data planes: they reach the new pods through the Service's own address.
async fn without_control_plane(stage: &Stage, row: &mut Row) -> anyhow::Result<()> {
    stage.scale_control_plane(0).await?;
    let traffic = Traffic::requests_through(&ALL_NODES);
    traffic.wait_for_more(300).await?;
    stage.restart("honeydue", "deployment/api").await?;
    traffic.wait_for_more(300).await?;
    traffic.stop(row).await;
    row.note("also without a control plane");
    stage.scale_control_plane(2).await
}
