//! Sluice is removed as the documents say, which leaves nothing of it, and installed again.

use anyhow::ensure;
use sluice_integration_tests::wait;

use crate::run::LIMIT;
use crate::stage::{ALL_NODES, Stage};
use crate::table::Row;
use crate::traffic::Traffic;

pub(crate) fn run(stage: &mut Stage, row: &mut Row) -> anyhow::Result<()> {
    stage.delete_manifests("manifests")?;
    stage.outside(async |stage| {
        wait::until("everything of Sluice to be gone", LIMIT, async || {
            let all = stage.kubectl(
                "get namespaces,clusterroles,clusterrolebindings,ingressclasses --output=name",
            )?;
            let left: Vec<&str> = all.lines().filter(|name| name.contains("sluice")).collect();
            ensure!(left.is_empty(), "there is still {left:?}");
            anyhow::Ok(())
        })
        .await
    })?;
    stage.apply_manifests("manifests")?;
    stage.outside(async |stage| {
        stage
            .wait_until_rolled_out("sluice-system", "deployment/sluice-control-plane")
            .await?;
        stage
            .wait_until_rolled_out("sluice-data-plane", "daemonset/sluice-data-plane")
            .await?;
        stage.wait_until_served(&ALL_NODES).await?;
        let traffic = Traffic::through(stage, &ALL_NODES);
        traffic.wait_for_more(600).await?;
        traffic.stop(row).await;
        Ok(())
    })
}
