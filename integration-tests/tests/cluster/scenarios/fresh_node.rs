//! A data plane starts where nothing is on its disk and nobody hands anything over: it refuses connections until it has a
//! snapshot, and then serves. Never does it answer 404 for a host that is known.

use std::io;

use anyhow::{bail, ensure};
use sluice_integration_tests::client::{ClientError, Destination, fetch};
use sluice_integration_tests::wait;

use crate::run::LIMIT;
use crate::stage::Stage;
use crate::table::Row;
use crate::traffic::{Traffic, http};

pub(crate) fn run(stage: &mut Stage, row: &mut Row) -> anyhow::Result<()> {
    stage.outside(async |stage| {
        let traffic = Traffic::through(&[0, 1]);
        traffic.wait_for_more(300).await?;
        // Without a control plane first, so that the time without a snapshot is long enough to be seen.
        stage.scale_control_plane(0).await?;
        let pods = stage.pods("sluice-data-plane")?;
        let there = pods.iter().find(|pod| pod.node == "node-3");
        let Some(there) = there else {
            bail!("there is no data plane on node-3")
        };
        stage.kubectl(&format!(
            "delete pod {} --namespace=sluice-data-plane --wait=false",
            there.name
        ))?;
        let fresh = async || -> anyhow::Result<()> {
            let pods = stage.pods("sluice-data-plane")?;
            let fresh = pods
                .iter()
                .any(|pod| pod.node == "node-3" && pod.name != there.name && !pod.ip.is_empty());
            ensure!(fresh, "{pods:?}");
            Ok(())
        };
        wait::until("a fresh pod on node-3", LIMIT, fresh).await?;
        for _ in 0..100 {
            ensure!(
                refused_or_served().await?.is_none(),
                "it serves without a snapshot"
            );
        }
        stage.scale_control_plane(2).await?;
        let mut refused = 0;
        let serves = wait::until(
            "node-3 to serve",
            LIMIT,
            async || match refused_or_served().await {
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
        row.note(format_args!(
            "refused {} times, then {status}",
            refused + 100
        ));
        traffic.stop(row).await;
        Ok(())
    })
}

/// One look at the node: refused (`None`), or a status.
async fn refused_or_served() -> anyhow::Result<Option<u16>> {
    let destination = Destination {
        address: http(2),
        tls: None,
        host: "api.myhoneydue.com".to_owned(),
        path: "/".to_owned(),
    };
    match fetch(&destination).await {
        Ok(answer) => Ok(Some(answer.status.as_u16())),
        Err(ClientError::Connect(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
            Ok(None)
        }
        Err(error) => bail!("neither refused nor answered: {}", error.chain()),
    }
}
