//! A node is cut off from the control plane, twice: first nothing gets through either way, then only what it says is
//! lost. It serves on; the control plane notices; what changed meanwhile is live soon after the cut has healed.

use std::time::Duration;

use anyhow::ensure;
use sluice_integration_tests::wait;
use tokio::time::Instant;

use crate::run::LIMIT;
use crate::stage::{ALL_NODES, Stage, wait_for_200};
use crate::table::Row;
use crate::traffic::Traffic;

pub(crate) fn run(stage: &mut Stage, row: &mut Row) -> anyhow::Result<()> {
    stage.outside(async |stage| {
        let traffic = Traffic::through(stage, &ALL_NODES);
        traffic.wait_for_more(300).await?;
        for (kind, rules) in [("dropped", &DROPPED[..]), ("half-open", &HALF_OPEN[..])] {
            cut(stage, "-I", rules)?;
            let cut_at = Instant::now();
            wait::until("the control plane to notice", LIMIT, async || {
                let live = stage.live_nodes()?;
                ensure!(live == 2, "{live} nodes are live");
                anyhow::Ok(())
            })
            .await?;
            row.at_most(&format!("{kind}: noticed"), cut_at.elapsed(), NOTICED);
            stage.nodes.cluster().apply(CHANGED)?;
            traffic.go_on_for(Duration::from_secs(20)).await?;
            cut(stage, "-D", rules)?;
            let healed = Instant::now();
            wait_for_200(2, "partition.myhoneydue.com").await?;
            row.at_most(&format!("{kind}: converged"), healed.elapsed(), CONVERGED);
            stage.kubectl("delete ingress partition --namespace=honeydue")?;
        }
        traffic.stop(row).await;
        stage.wait_until_live().await
    })
}

fn cut(stage: &mut Stage, what: &str, rules: &[&str]) -> anyhow::Result<()> {
    for rule in rules {
        let (chain, rest) = rule.split_once(' ').unwrap_or((rule, ""));
        let mut command = vec!["iptables", "-w", what, chain];
        command.extend(rest.split_ascii_whitespace());
        stage.nodes.node(2).run(&command)?;
    }
    Ok(())
}

const DROPPED: [&str; 2] = [
    "INPUT -p tcp --sport 8443 -j DROP",
    "OUTPUT -p tcp --dport 8443 -j DROP",
];
const HALF_OPEN: [&str; 1] = ["OUTPUT -p tcp --dport 8443 -j DROP"];
/// Two keep-alive times of the control plane (10 s each), and a look.
const NOTICED: Duration = Duration::from_secs(22);
const CONVERGED: Duration = Duration::from_secs(2);
const CHANGED: &str = "
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: { name: partition, namespace: honeydue }
spec:
  ingressClassName: sluice
  rules:
    - host: partition.myhoneydue.com
      http:
        paths:
          - { path: /, pathType: Prefix, backend: { service: { name: api, port: { number: 8000 } } } }
";
