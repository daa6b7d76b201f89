//! Traefik beside the same API server, as the benchmark runs it. How it comes to this machine is in [`crate::traefik`].

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::{Context as _, ensure};

use super::TRAEFIK_IP;
use super::crowd::Crowd;
use crate::client::{Destination, fetch};
use crate::kubernetes::Cluster;
use crate::process::Process;
use crate::traefik::Traefik;
use crate::wait;

/// A Traefik that runs. Dropping it ends it.
#[derive(Debug)]
pub(super) struct RunningTraefik {
    process: Process,
}

impl RunningTraefik {
    /// Where it takes HTTP.
    pub(super) const ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(TRAEFIK_IP), 80);

    /// Where it takes HTTPS.
    pub(super) const TLS_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(TRAEFIK_IP), 443);

    /// Starts it on its address, which the cluster's network has already.
    pub(super) fn start(traefik: &Traefik, cluster: &Cluster) -> anyhow::Result<Self> {
        let program = traefik.beside(cluster).args([
            format!("--entrypoints.web.address={}", Self::ADDRESS),
            format!("--entrypoints.websecure.address={}", Self::TLS_ADDRESS),
            // Else an Ingress with a certificate would be served there alone, and the others without TLS alone.
            "--entrypoints.websecure.http.tls=true".to_owned(),
            "--providers.kubernetesingress=true".to_owned(),
            "--providers.kubernetescrd=true".to_owned(),
            "--log.level=ERROR".to_owned(),
        ]);
        Ok(Self {
            process: program.start()?,
        })
    }

    pub(super) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Waits until it serves the crowd.
    pub(super) async fn wait_until_served(&self) -> anyhow::Result<()> {
        let destination = Destination {
            address: Self::ADDRESS,
            tls: None,
            host: Crowd::host(0),
            path: "/".to_owned(),
        };
        wait::until("Traefik to serve the crowd", LIMIT, async || {
            let answer = fetch(&destination).await?;
            ensure!(answer.status == 200, "{}", answer.status);
            anyhow::Ok(())
        })
        .await
        .with_context(|| self.process.last_lines())
    }
}

const LIMIT: Duration = Duration::from_secs(120);
