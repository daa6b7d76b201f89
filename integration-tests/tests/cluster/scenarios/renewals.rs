//! The control plane's authority and the certificates of both planes are renewed ten times over, and the seal key twice at
//! once, while everything runs.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use sluice_integration_tests::metrics::sample;
use sluice_integration_tests::wait;

use crate::run::LIMIT;
use crate::stage::{ALL_NODES, Stage};
use crate::table::Row;
use crate::traffic::Traffic;

pub(crate) fn run(stage: &mut Stage, row: &mut Row) -> anyhow::Result<()> {
    stage.outside(async |stage| {
        let restarts = stage.restarts("sluice-data-plane")?;
        let before = stage.streams_opened()?;
        let traffic = Traffic::through(stage, &ALL_NODES);
        traffic.wait_for_more(300).await?;
        let mut last = stage.data_plane_certificate()?;
        for _ in 0..RENEWALS {
            stage.renew(&format!("authority --overlap {}s", OVERLAP.as_secs()))?;
            let renewed = wait::until("another data-plane certificate", LIMIT, async || {
                let now = stage.data_plane_certificate()?;
                ensure!(now != last, "it is still the same");
                anyhow::Ok(now)
            });
            last = renewed.await?;
        }
        let opened = stage.streams_opened()?.saturating_sub(before);
        row.note(format_args!(
            "{RENEWALS} renewals, {opened} streams opened anew"
        ));
        if opened > MOST_STREAMS {
            row.broken(format_args!("the nodes opened {opened} streams anew"));
        }
        // Now all have to show what they were given meanwhile.
        stage.scale_control_plane(0).await?;
        stage.scale_control_plane(2).await?;
        stage.wait_until_live().await?;
        if stage.restarts("sluice-data-plane")? != restarts {
            row.broken("a data plane ended meanwhile");
        }
        // The next data planes know no seal key that those of now were started with.
        stage.renew("seal")?;
        stage.renew("seal")?;
        // With what there is now, whoever starts afresh still gets in.
        stage
            .restart("sluice-data-plane", "daemonset/sluice-data-plane")
            .await?;
        stage.wait_until_live().await?;
        traffic.stop(row).await;
        Ok(())
    })
}

impl Stage {
    fn renew(&self, what: &str) -> anyhow::Result<String> {
        self.kubectl(&format!(
            "exec deployment/sluice-control-plane --namespace=sluice-system -- /sluice-control-plane renew {what}"
        ))
    }

    fn data_plane_certificate(&self) -> anyhow::Result<String> {
        self.kubectl(
            "get secret sluice-data-plane-identity --namespace=sluice-data-plane \
             --output=jsonpath={.data.tls\\.crt}",
        )
    }

    /// How many streams the data planes have opened, as they say.
    fn streams_opened(&self) -> anyhow::Result<usize> {
        let mut opened = 0;
        for pod in self.pods("sluice-data-plane")? {
            let metrics = self.kubectl(&format!(
                "exec {} --namespace=sluice-data-plane -- /sluice-data-plane metrics",
                pod.name
            ))?;
            let count = sample(&metrics, "sluice_streams_opened_total");
            opened += count.context("there is no metric of streams")? as usize;
        }
        Ok(opened)
    }
}

const RENEWALS: usize = 10;
/// Longer than the kubelets of the test take to bring a changed Secret into a pod.
const OVERLAP: Duration = Duration::from_secs(15);
/// None has to be opened anew; one a node may break for another reason.
const MOST_STREAMS: usize = 3;
