//! The control plane is gone for a while. A data plane that restarts meanwhile serves from its disk.

use anyhow::ensure;
use sluice_integration_tests::wait;

use crate::run::LIMIT;
use crate::stage::{ALL_NODES, Stage, refused_or_served};
use crate::table::Row;
use crate::traffic::Traffic;

pub(crate) fn run(stage: &mut Stage, row: &mut Row) -> anyhow::Result<()> {
    stage.outside(async |stage| {
        // A rollout of it first: new replicas, and an election.
        let traffic = Traffic::through(stage, &ALL_NODES);
        traffic.wait_for_more(300).await?;
        stage
            .restart("sluice-system", "deployment/sluice-control-plane")
            .await?;
        stage.scale_control_plane(0).await?;
        traffic.go_on_for(stage.outage()).await?;
        traffic.stop(row).await;

        // Whose container is killed refuses connections until it is back, so this load goes through the others.
        let traffic = Traffic::through(stage, &[0, 1]);
        stage
            .nodes
            .node(2)
            .run(&["pkill", "-KILL", "-x", "sluice-data-pla"])?;
        let first = wait::until(
            "node-3 to serve",
            LIMIT,
            async || match refused_or_served(2).await {
                Ok(Some(status)) => Ok(status),
                Ok(None) => Err("it refuses".to_owned()),
                // Accepted by the one that is just being killed.
                Err(error) => Err(error.to_string()),
            },
        );
        let first = first.await?;
        ensure!(
            first == 200,
            "the first answer after its restart is {first}"
        );
        row.note("a killed data plane serves from disk");
        traffic.wait_for_more(600).await?;
        stage.scale_control_plane(2).await?;
        traffic.stop(row).await;
        Ok(())
    })
}
