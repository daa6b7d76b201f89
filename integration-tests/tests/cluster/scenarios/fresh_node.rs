//! A machine that was never there joins as node-3, while there is no control plane: nothing is on its disk, and nobody hands
//! anything over. It refuses connections until it has a snapshot, and then serves. Never does it answer 404 for a host that
//! is known.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use sluice_integration_tests::wait;
use tokio::time::Instant;

use crate::run::LIMIT;
use crate::stage::{Stage, refused_or_served};
use crate::table::Row;
use crate::traffic::Traffic;

pub(crate) fn run(stage: &mut Stage, row: &mut Row) -> anyhow::Result<()> {
    stage.outside(async |stage| {
        stage.move_backends_off_node_3().await?;
        // Without a control plane first, so that the time without a snapshot is long enough to be seen.
        stage.scale_control_plane(0).await?;
        let traffic = Traffic::through(stage, &[0, 1]);
        traffic.wait_for_more(300).await?;
        stage.nodes.replace(2)?;
        stage.wait_until_it_starts("node-3").await?;
        let (since, mut refused) = (Instant::now(), 0);
        while since.elapsed() < WITHOUT_A_SNAPSHOT {
            let answered = refused_or_served(2).await?;
            ensure!(
                answered.is_none(),
                "it answers {answered:?} without a snapshot"
            );
            refused += 1;
        }
        // It is the process that refuses, not a node without one.
        stage.wait_until_it_starts("node-3").await?;
        stage.scale_control_plane(2).await?;
        let serves = wait::until(
            "node-3 to serve",
            LIMIT,
            async || match refused_or_served(2).await {
                Ok(Some(status)) => Ok(Ok(status)),
                Ok(None) => {
                    refused += 1;
                    Err("refused".to_owned())
                }
                Err(error) => Ok(Err(error)),
            },
        );
        let status = serves.await??;
        if status != 200 {
            row.broken(format_args!("its first answer was {status}"));
        }
        row.note(format_args!("refused {refused} times, then {status}"));
        let traffic_there = Traffic::through(stage, &[2]);
        traffic_there.wait_for_more(900).await?;
        traffic_there.stop(row).await;
        traffic.stop(row).await;
        Ok(())
    })
}

impl Stage {
    /// Waits until the data plane of this node runs and says that it starts.
    async fn wait_until_it_starts(&self, node: &str) -> anyhow::Result<()> {
        wait::until(
            &format!("a data plane that starts on {node}"),
            LIMIT,
            async || {
                let pods = self.pods("sluice-data-plane")?;
                let there = pods.iter().find(|pod| pod.node == node && !pod.leaving);
                let there = there.with_context(|| format!("there is none: {pods:?}"))?;
                let status = self.kubectl(&format!(
                    "exec {} --namespace=sluice-data-plane -- /sluice-data-plane status",
                    there.name
                ))?;
                ensure!(status.contains("\"state\": \"starting\""), "{status}");
                anyhow::Ok(())
            },
        )
        .await
    }
}

const WITHOUT_A_SNAPSHOT: Duration = Duration::from_secs(5);
