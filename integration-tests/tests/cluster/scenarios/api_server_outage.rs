//! The API server is gone for a while and comes back with changes waiting.

use std::time::Duration;

use tokio::time::Instant;

use crate::stage::{ALL_NODES, Stage, wait_for_200};
use crate::table::Row;
use crate::traffic::Traffic;

pub(crate) fn run(stage: &mut Stage, row: &mut Row) -> anyhow::Result<()> {
    stage.outside(async |stage| {
        let before = stage.restarts("sluice-system")? + stage.restarts("sluice-data-plane")?;
        let traffic = Traffic::through(stage, &ALL_NODES);
        traffic.wait_for_more(300).await?;
        stage.nodes.cluster_mut().kill_api_server()?;
        traffic.go_on_for(stage.outage()).await?;
        stage.nodes.cluster_mut().restart_api_server()?;
        let back = Instant::now();
        stage.nodes.cluster().apply(WAITING)?;
        for node in ALL_NODES {
            wait_for_200(node, "waiting.myhoneydue.com").await?;
        }
        row.at_most("converged", back.elapsed(), Duration::from_secs(2));
        stage.kubectl("delete ingress waiting --namespace=honeydue")?;
        traffic.wait_for_more(300).await?;
        traffic.stop(row).await;
        let after = stage.restarts("sluice-system")? + stage.restarts("sluice-data-plane")?;
        if after != before {
            row.broken(format_args!("{} processes ended meanwhile", after - before));
        }
        Ok(())
    })
}

/// What is applied as soon as it is back.
const WAITING: &str = "
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: { name: waiting, namespace: honeydue }
spec:
  ingressClassName: sluice
  rules:
    - host: waiting.myhoneydue.com
      http:
        paths:
          - { path: /, pathType: Prefix, backend: { service: { name: api, port: { number: 8000 } } } }
";
