//! The manifests of the repository, applied unchanged, and the first user's objects.

use anyhow::ensure;

use crate::stage::{ALL_NODES, Stage};
use crate::table::Row;
use crate::traffic::{SECURE_HOST, Traffic};

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
    secure(stage)?;
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
        let traffic = Traffic::through(stage, &ALL_NODES);
        traffic.wait_for_more(600).await?;
        traffic.stop(row).await;
        Ok(())
    })
}

/// Gives the host that is served over TLS its certificate, and lets the control plane read it, as the documents say.
fn secure(stage: &Stage) -> anyhow::Result<()> {
    let (host, _) = SECURE_HOST;
    let certificate = stage.authority.issue(&[host])?;
    let secret = certificate.secret("honeydue", "secure");
    stage.nodes.cluster().apply(&secret)?;
    stage.kubectl(
        "create rolebinding sluice-secret-reader --clusterrole=sluice-secret-reader \
         --serviceaccount=sluice-system:sluice-control-plane --namespace=honeydue",
    )?;
    Ok(())
}

/// The first user's objects, and a host with a certificate; the echo server stands for their programs.
const SHOP: &str = include_str!("shop.yaml");
