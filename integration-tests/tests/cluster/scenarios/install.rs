//! The manifests of the repository, applied unchanged, and the first user's objects.

use anyhow::ensure;

use crate::stage::{ALL_NODES, Stage};
use crate::table::Row;
use crate::traffic::Traffic;

pub(crate) fn run(stage: &mut Stage, row: &mut Row) -> anyhow::Result<()> {
    stage.apply_manifests("manifests")?;
    let again = stage.apply_manifests("manifests")?;
    // kubectl sends the selector of a PodDisruptionBudget each time, whether it changes or not.
    let lines = again.lines();
    for line in lines.filter(|line| !line.starts_with("poddisruptionbudget.policy/")) {
        ensure!(
            line.ends_with(" unchanged"),
            "applied again, the manifests change something: {line}"
        );
    }
    stage.nodes.cluster().apply(SHOP)?;
    stage.outside(async |stage| {
        stage
            .wait_until_rolled_out("sluice-system", "deployment/sluice-control-plane")
            .await?;
        stage
            .wait_until_rolled_out("sluice-data-plane", "daemonset/sluice-data-plane")
            .await?;
        for deployment in ["deployment/api", "deployment/admin"] {
            stage.wait_until_rolled_out("honeydue", deployment).await?;
        }
        stage.wait_until_served(&ALL_NODES).await?;
        let traffic = Traffic::through(&ALL_NODES);
        traffic.wait_for_more(600).await?;
        traffic.stop(row).await;
        Ok(())
    })
}

/// The first user's objects; the echo server stands for their programs.
const SHOP: &str = include_str!("shop.yaml");
