//! The data plane is rolled out anew: the new pod on each node takes the listening sockets over from the old one.

use crate::knocking::Knocking;
use crate::stage::{ALL_NODES, Stage};
use crate::table::Row;
use crate::traffic::Traffic;

impl Stage {
    /// Which versions the Ingresses are in, as Kubernetes counts them.
    fn versions(&self) -> anyhow::Result<String> {
        self.kubectl(
            "get ingresses --namespace=honeydue --output=jsonpath={.items[*].metadata.resourceVersion}",
        )
    }
}

pub(crate) fn run(stage: &mut Stage, row: &mut Row) -> anyhow::Result<()> {
    let times = stage.rounds();
    let enough = if stage.full { 60_000 } else { 10_000 };
    stage.outside(async |stage| {
        row.note(format_args!("{times} rollouts"));
        let before = stage.versions()?;
        let traffic = Traffic::through(stage, &ALL_NODES);
        traffic.wait_for_more(300).await?;
        let knocking = Knocking::at(&ALL_NODES);
        for time in 1..=times {
            stage
                .restart("sluice-data-plane", "daemonset/sluice-data-plane")
                .await?;
            eprintln!(
                "rollout {time} of {times}: {} failed so far",
                traffic.failed()
            );
        }
        knocking.stop(row).await;
        if stage.versions()? != before {
            row.broken("something was written to the Ingresses");
        }
        while traffic.answered() < enough {
            traffic.wait_for_more(300).await?;
        }
        traffic.stop(row).await;
        Ok(())
    })
}
