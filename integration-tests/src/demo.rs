//! Sluice at work on one machine, with no Kubernetes: a control plane that reads a folder of YAML, three data planes
//! on loopback ports, and echo servers as the pods. The program around it is `sluice-demo` (`cargo demo`).
//!
//! Everything it writes is in one folder, which it removes; everything it starts ends before it does, and is ended by
//! the kernel should it be killed.

mod addresses;
mod folder;
mod guide;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::time::sleep;

pub use self::addresses::Addresses;
use self::folder::Folder;
use crate::introspection::Introspection;
use crate::process::{Process, Program};
use crate::programs::Programs;
use crate::wait;

/// A running demonstration. Dropping it ends it as [`Demo::stop`] does, but silently.
#[derive(Debug)]
pub struct Demo {
    addresses: Addresses,
    // In the order in which they are ended: whoever is asked ends before whoever answers.
    data_planes: Vec<Process>,
    control_plane: Process,
    pods: Vec<Process>,
    // Last: it is removed when nobody writes there any more.
    folder: Folder,
}

impl Demo {
    /// Starts everything, and returns when the two Ingresses are live on all nodes.
    pub async fn start(programs: &Programs, addresses: Addresses) -> anyhow::Result<Self> {
        addresses.require_free()?;
        let folder = Folder::create(&addresses)?;
        let pods = addresses
            .pods()
            .map(|(name, address)| start_pod(programs, &folder, &name, address));
        let pods = pods.collect::<anyhow::Result<_>>()?;
        let control_plane = control_plane(programs, &folder, &addresses).start()?;
        let mut demo = Self {
            addresses,
            data_planes: Vec::new(),
            control_plane,
            pods,
            folder,
        };
        let introspection = Introspection::new(demo.addresses.introspection())?;
        // It makes the credentials that data planes start with.
        let answers = async || introspection.nodes().await;
        demo.control_plane
            .wait_until("the control plane to answer", LIMIT, answers)
            .await?;
        for node in 1..=Addresses::NODES {
            demo.data_planes
                .push(data_plane(programs, &demo.folder, &demo.addresses, node).start()?);
        }
        let nodes = u32::from(Addresses::NODES);
        wait::until("all nodes to be live", LIMIT, async || {
            demo.require_all_run()?;
            introspection.live_on(nodes).await
        })
        .await?;
        Ok(demo)
    }

    /// The folder of YAML that its control plane reads.
    #[must_use]
    pub fn objects(&self) -> PathBuf {
        self.folder.objects()
    }

    /// The settings file that its control plane reads.
    #[must_use]
    pub fn settings(&self) -> PathBuf {
        self.folder.settings()
    }

    /// What to try, for whoever started it.
    #[must_use]
    pub fn guide(&self) -> String {
        guide::text(&self.addresses, &self.folder)
    }

    /// Waits until one of its programs ends, which none should, and returns why.
    pub async fn watch(&mut self) -> anyhow::Error {
        loop {
            if let Err(error) = self.require_all_run() {
                return error;
            }
            sleep(BETWEEN_LOOKS).await;
        }
    }

    /// Ends everything, in order, and removes the folder. Blocks its thread for as long as that takes.
    pub fn stop(mut self) -> anyhow::Result<()> {
        let mut outcome = Ok(());
        let mut end = |processes: &mut [Process]| {
            // All at once, and then one after the other: they wait at the same time.
            for process in &mut *processes {
                let _ = process.terminate();
            }
            for process in processes {
                match process.stop(GRACE) {
                    Ok(status) if status.success() => {}
                    Ok(status) => {
                        outcome = Err(anyhow::anyhow!("{} ended with {status}", process.name()))
                    }
                    Err(error) => outcome = Err(error),
                }
            }
        };
        end(&mut self.data_planes);
        end(std::slice::from_mut(&mut self.control_plane));
        end(&mut self.pods);
        self.folder.remove().and(outcome)
    }

    fn require_all_run(&mut self) -> anyhow::Result<()> {
        let all = self
            .data_planes
            .iter_mut()
            .chain([&mut self.control_plane])
            .chain(&mut self.pods);
        for process in all {
            if let Some(status) = process.ended()? {
                bail!(
                    "{} has ended by itself ({status}); it last said:\n{}",
                    process.name(),
                    process.last_lines()
                );
            }
        }
        Ok(())
    }
}

fn start_pod(
    programs: &Programs,
    folder: &Folder,
    name: &str,
    address: SocketAddr,
) -> anyhow::Result<Process> {
    let listen = format!("--listen={address}");
    let program = Program::new(name, &programs.echo, &folder.logs())
        .arg(listen)
        .arg(format!("--name={name}"));
    program
        .start()
        .with_context(|| format!("cannot start the pod {name}"))
}

fn control_plane(programs: &Programs, folder: &Folder, addresses: &Addresses) -> Program {
    Program::new("control-plane", &programs.control_plane, &folder.logs())
        .args(["--source", "files", "--files"])
        .arg(folder.objects())
        .arg("--settings")
        .arg(folder.settings())
        .arg("--identity-dir")
        .arg(folder.identity())
        .arg(format!("--stream-address={}", addresses.stream()))
        .arg(format!(
            "--introspection-address={}",
            addresses.introspection()
        ))
        .arg(format!(
            "--metrics-address={}",
            addresses.control_plane_metrics()
        ))
}

fn data_plane(programs: &Programs, folder: &Folder, addresses: &Addresses, node: u8) -> Program {
    let name = format!("node-{node}");
    Program::new(
        &format!("data-plane-{name}"),
        &programs.data_plane,
        &folder.logs(),
    )
    .arg(format!("--node={name}"))
    .arg(format!("--control-plane={}", addresses.stream()))
    .arg("--identity-dir")
    .arg(folder.identity().join("data-plane"))
    .arg("--state-dir")
    .arg(folder.state(&name))
    .arg(format!("--listen=http={}", addresses.http(node)))
    .arg(format!("--listen=https={}", addresses.https(node)))
    .arg(format!(
        "--metrics-address={}",
        addresses.data_plane_metrics(node)
    ))
    .arg("--cores=1")
}

/// Generous: all of it takes a second or two.
const LIMIT: Duration = Duration::from_secs(60);
/// More than the drain time of `examples/settings.yaml`.
const GRACE: Duration = Duration::from_secs(8);
const BETWEEN_LOOKS: Duration = Duration::from_millis(250);
