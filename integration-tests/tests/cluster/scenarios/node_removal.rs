//! A node is taken away: `kubectl drain`, then its kubelet stops and its data plane is told to end. Clients that go on to
//! the next address when one refuses lose nothing, and the Ingresses' status follows.

use std::time::Duration;

use anyhow::ensure;
use sluice_integration_tests::nodes::Nodes;
use sluice_integration_tests::wait;
use tokio::time::Instant;

use crate::run::LIMIT;
use crate::stage::{ALL_NODES, Stage};
use crate::table::Row;
use crate::traffic::Traffic;

pub(crate) fn run(stage: &mut Stage, row: &mut Row) -> anyhow::Result<()> {
    stage.outside(async |stage| {
        let gone = Nodes::address(2).to_string();
        status_has(stage, &gone, true).await?;
        let traffic = Traffic::through_next_if_refused(stage, &ALL_NODES);
        traffic.wait_for_more(600).await?;
        stage.kubectl("drain node-3 --ignore-daemonsets --delete-emptydir-data --force")?;
        // That may have moved the leader, and a new one withdraws nothing for its first minute.
        traffic.go_on_for(Duration::from_secs(75)).await?;
        stage.nodes.node(2).stop_kubelet()?;
        let told = Instant::now();
        stage
            .nodes
            .node(2)
            .run(&["pkill", "-TERM", "-x", "sluice-data-pla"])?;
        status_has(stage, &gone, false).await?;
        row.at_most("withdrawn", told.elapsed(), WITHDRAWN);
        traffic.go_on_for(Duration::from_secs(45)).await?;
        traffic.stop(row).await;

        stage.nodes.node(2).power_off()?;
        stage.nodes.power_on(2)?;
        stage.kubectl("uncordon node-3")?;
        stage.nodes.wait_until_ready()?;
        status_has(stage, &gone, true).await
    })
}

async fn status_has(stage: &Stage, address: &str, wanted: bool) -> anyhow::Result<()> {
    let what = if wanted { "list" } else { "drop" };
    wait::until(&format!("the status to {what} {address}"), LIMIT, async || {
        for ingress in ["honeydue-api", "honeydue-admin"] {
            let listed = stage.kubectl(&format!(
                "get ingress {ingress} --namespace=honeydue --output=jsonpath={{.status.loadBalancer.ingress[*].ip}}"
            ))?;
            let has = listed.split_ascii_whitespace().any(|ip| ip == address);
            ensure!(has == wanted, "{ingress} lists {listed:?}");
        }
        anyhow::Ok(())
    })
    .await
}

/// Five seconds after the node says that it drains, and a few for kubectl to see it.
const WITHDRAWN: Duration = Duration::from_secs(15);
