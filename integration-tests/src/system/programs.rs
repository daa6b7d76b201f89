//! How Sluice's programs are started beside a cluster: their flags and folders.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::{INTROSPECTION, METRICS, System};
use crate::kubernetes::Cluster;
use crate::namespace::Namespace;
use crate::process::Program;
use crate::programs::Programs;

/// Where things are, and how they are started.
#[derive(Clone, Debug)]
pub struct Plan {
    folder: PathBuf,
    control_plane: Program,
    replicas: Vec<Program>,
    clear_status: Program,
    data_planes: Vec<Program>,
    programs: Programs,
}

impl Plan {
    pub(super) fn new(programs: &Programs, cluster: &Cluster) -> anyhow::Result<Self> {
        let namespace = cluster.namespace();
        let folder = namespace.folder().to_owned();
        let plan = Self {
            control_plane: control_plane("control-plane", programs, cluster, &folder)?
                .arg(format!("--stream-address={}", System::stream()))
                .arg(format!("--introspection-address={INTROSPECTION}"))
                .arg(format!("--metrics-address={METRICS}")),
            replicas: (0..System::REPLICAS)
                .map(|replica| self::replica(replica, programs, cluster, &folder))
                .collect::<anyhow::Result<_>>()?,
            clear_status: clear_status(programs, cluster)?,
            data_planes: (0..System::NODES)
                .map(|node| data_plane(programs, namespace, &folder, node))
                .collect(),
            folder,
            programs: programs.clone(),
        };
        plan.write_settings(SETTINGS)?;
        Ok(plan)
    }

    pub(super) fn control_plane(&self) -> &Program {
        &self.control_plane
    }

    pub(super) fn data_plane(&self, node: usize) -> &Program {
        &self.data_planes[node]
    }

    /// Replaces the settings; the control plane sees it.
    pub fn write_settings(&self, yaml: &str) -> anyhow::Result<()> {
        let (new, settings) = (
            self.folder.join("settings.yaml.new"),
            settings(&self.folder),
        );
        fs::write(&new, yaml)?;
        fs::rename(new, &settings).with_context(|| format!("cannot write {}", settings.display()))
    }

    /// One of several control planes that agree by a Lease on who leads.
    #[must_use]
    pub fn replica(&self, replica: usize) -> &Program {
        &self.replicas[replica]
    }

    /// What takes the status of Ingresses away.
    #[must_use]
    pub fn clear_status(&self) -> &Program {
        &self.clear_status
    }

    /// Sluice's programs.
    #[must_use]
    pub fn programs(&self) -> &Programs {
        &self.programs
    }

    /// The credentials of data planes.
    #[must_use]
    pub fn data_plane_identity(&self) -> PathBuf {
        identity(&self.folder).join("data-plane")
    }

    /// Where a data plane keeps its disk copy.
    #[must_use]
    pub fn state(&self, node: usize) -> PathBuf {
        state(&self.folder, node)
    }
}

fn replica(
    replica: usize,
    programs: &Programs,
    cluster: &Cluster,
    folder: &Path,
) -> anyhow::Result<Program> {
    let name = format!("control-plane-{replica}");
    let stream = System::replica_stream(replica);
    let introspection = System::replica_introspection(replica);
    Ok(control_plane(&name, programs, cluster, folder)?
        .arg("--namespace=sluice-system")
        .arg(format!("--pod={name}"))
        .arg(format!("--pod-address={}", stream.ip()))
        .arg(format!("--stream-address={stream}"))
        .arg(format!("--introspection-address={introspection}"))
        .arg("--metrics-address=127.0.0.1:0"))
}

fn clear_status(programs: &Programs, cluster: &Cluster) -> anyhow::Result<Program> {
    let namespace = cluster.namespace();
    let kubeconfig = cluster.kubeconfig_for(SERVICE_ACCOUNT, Some("system:serviceaccounts"))?;
    let logs = namespace.logs();
    Ok(Program::new("clear-status", &programs.control_plane, &logs)
        .inside(namespace)
        .args(["clear-status", "--namespace=sluice-system", "--kubeconfig"])
        .arg(kubeconfig))
}

/// A control plane, but for where it listens.
fn control_plane(
    name: &str,
    programs: &Programs,
    cluster: &Cluster,
    folder: &Path,
) -> anyhow::Result<Program> {
    let namespace = cluster.namespace();
    // Its rights are those of its ServiceAccount in manifests/, no more.
    let kubeconfig = cluster.kubeconfig_for(SERVICE_ACCOUNT, Some("system:serviceaccounts"))?;
    Ok(
        Program::new(name, &programs.control_plane, &namespace.logs())
            .inside(namespace)
            .args(["--source=kube", "--kubeconfig"])
            .arg(kubeconfig)
            .arg("--settings")
            .arg(settings(folder))
            .arg("--identity-dir")
            .arg(identity(folder)),
    )
}

fn data_plane(programs: &Programs, namespace: &Namespace, folder: &Path, node: usize) -> Program {
    let name = format!("node-{}", node + 1);
    Program::new(&name, &programs.data_plane, &namespace.logs())
        .inside(namespace)
        .arg(format!("--node={name}"))
        .arg(format!("--control-plane={}", System::stream()))
        .arg("--identity-dir")
        .arg(identity(folder).join("data-plane"))
        .arg("--state-dir")
        .arg(state(folder, node))
        .arg(format!("--listen=http={}", System::http(node)))
        .arg(format!("--listen=https={}", System::https(node)))
        // Pods have no network of their own here: their addresses are those of the machine.
        .arg("--reachable=10.244.0.0/16")
        .arg("--cores=1")
}

fn settings(folder: &Path) -> PathBuf {
    folder.join("settings.yaml")
}

fn identity(folder: &Path) -> PathBuf {
    folder.join("identity")
}

fn state(folder: &Path, node: usize) -> PathBuf {
    folder.join(format!("state-{}", node + 1))
}

const SERVICE_ACCOUNT: &str = "system:serviceaccount:sluice-system:sluice-control-plane";
/// The first user's class is adopted, and ending a system does not take long.
const SETTINGS: &str = "
ingress: { controllers: [ingress.sluice.dev/controller, traefik.io/ingress-controller] }
timeouts: { drain: 2s }
accessLog: { enabled: true }
";
