//! The whole of Sluice beside a real Kubernetes: one control plane and three data planes, as programs, in the
//! cluster's network. It starts, kills and restarts them and waits for levels; the promises are in `tests/`.

mod levels;
mod objects;
mod places;
mod pods;
mod programs;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow, ensure};

pub use self::levels::{require_backend, require_refused};
pub use self::objects::{
    EndpointState, endpoint_slice, granted_namespace, ingress, service, tls_ingress,
};
use self::places::Place;
pub use self::pods::{Pod, Pods};
pub use self::programs::Plan;
use crate::client::Destination;
use crate::introspection::Introspection;
use crate::kubernetes::Cluster;
use crate::load::Target;
use crate::namespace::Namespace;
use crate::process::Process;
use crate::programs::{Programs, repository};

/// A running system. Dropping it ends everything.
#[derive(Debug)]
pub struct System {
    // In the order in which they are ended.
    data_planes: Vec<Process>,
    control_plane: Option<Process>,
    plan: Plan,
    cluster: Arc<Cluster>,
    _place: Place,
}

impl System {
    /// How many data planes there are.
    pub const NODES: usize = Namespace::NODES.len();

    /// How many control planes there can be beside the one of [`System::start_control_plane`].
    pub const REPLICAS: usize = 2;

    /// Starts a cluster and everything of Sluice, and returns when all nodes have the first snapshot. Waits for its
    /// turn when other tests of this process run systems of their own.
    pub fn start() -> anyhow::Result<Self> {
        Self::start_with(Programs::built_once()?)
    }

    /// The same with these programs.
    pub fn start_with(programs: &Programs) -> anyhow::Result<Self> {
        let place = Place::take();
        let cluster = Arc::new(Cluster::start()?);
        let manifests = repository().join("manifests");
        let manifests = manifests
            .to_str()
            .context("the repository's path is not UTF-8")?;
        cluster.kubectl(&["apply", "--kustomize", manifests])?;
        let plan = Plan::new(programs, &cluster)?;
        let mut system = Self {
            data_planes: Vec::new(),
            control_plane: None,
            plan,
            cluster,
            _place: place,
        };
        system.run(async |system| {
            system.start_control_plane().await?;
            for node in 0..Self::NODES {
                system
                    .data_planes
                    .push(system.plan.data_plane(node).start()?);
            }
            system.wait_until_live().await
        })?;
        Ok(system)
    }

    /// Runs a scenario inside the cluster's network; its error carries what the programs last said.
    pub fn run<T: Send>(
        &mut self,
        scenario: impl AsyncFnOnce(&mut Self) -> anyhow::Result<T> + Send,
    ) -> anyhow::Result<T> {
        let cluster = Arc::clone(&self.cluster);
        let ran = cluster.namespace().run(async || scenario(&mut *self).await);
        ran.map_err(|error| anyhow!("{error:#}\n{}", self.last_lines()))
    }

    /// The cluster.
    #[must_use]
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// A client of the control plane; only useful inside [`System::run`].
    pub fn introspection(&self) -> anyhow::Result<Introspection> {
        Introspection::new(INTROSPECTION)
    }

    /// Starts the control plane and returns when it answers.
    pub async fn start_control_plane(&mut self) -> anyhow::Result<()> {
        let mut control_plane = self.plan.control_plane().start()?;
        let introspection = self.introspection()?;
        control_plane
            .wait_until("the control plane to answer", LIMIT, async || {
                introspection.nodes().await
            })
            .await?;
        self.control_plane = Some(control_plane);
        Ok(())
    }

    /// Kills the control plane, as a crash would.
    pub fn kill_control_plane(&mut self) -> anyhow::Result<()> {
        self.control_plane
            .take()
            .context("the control plane does not run")?
            .kill()
            .map(drop)
    }

    /// Kills a data plane, as a crash would.
    pub fn kill_data_plane(&mut self, node: usize) -> anyhow::Result<()> {
        self.data_planes[node].kill().map(drop)
    }

    /// Starts a data plane again; that it runs does not mean that it serves.
    pub fn restart_data_plane(&mut self, node: usize) -> anyhow::Result<()> {
        ensure!(
            self.data_planes[node].ended()?.is_some(),
            "node-{} still runs",
            node + 1
        );
        self.data_planes[node] = self.plan.data_plane(node).start()?;
        Ok(())
    }

    /// Stops all programs of Sluice in their tracks, or lets them go on.
    pub fn pause(&self, paused: bool) -> anyhow::Result<()> {
        let mut all = self.control_plane.iter().chain(&self.data_planes);
        all.try_for_each(|process| process.pause(paused))
    }

    /// A data plane's process.
    pub fn data_plane(&mut self, node: usize) -> &mut Process {
        &mut self.data_planes[node]
    }

    /// The control plane's process, if it runs.
    pub fn control_plane(&mut self) -> Option<&mut Process> {
        self.control_plane.as_mut()
    }

    /// What is decided about where things are.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Where a node takes HTTP.
    #[must_use]
    pub fn http(node: usize) -> SocketAddr {
        SocketAddr::new(Namespace::NODES[node].into(), 80)
    }

    /// Where a node takes HTTPS.
    #[must_use]
    pub fn https(node: usize) -> SocketAddr {
        SocketAddr::new(Namespace::NODES[node].into(), 443)
    }

    /// Where data planes get their snapshots.
    #[must_use]
    pub fn stream() -> SocketAddr {
        SocketAddr::new(Namespace::CONTROL.into(), 8443)
    }

    /// Where a replica of the control plane serves its stream.
    #[must_use]
    pub fn replica_stream(replica: usize) -> SocketAddr {
        let ports = [8451, 8452];
        SocketAddr::new(Namespace::CONTROL.into(), ports[replica])
    }

    /// Where a replica of the control plane serves introspection.
    #[must_use]
    pub fn replica_introspection(replica: usize) -> SocketAddr {
        let ports = [8461, 8462];
        SocketAddr::new(INTROSPECTION.ip(), ports[replica])
    }

    /// Kills the API server, as a crash would. Not inside [`System::run`], which uses the cluster.
    pub fn kill_api_server(&mut self) -> anyhow::Result<()> {
        let cluster = Arc::get_mut(&mut self.cluster);
        cluster.context("the cluster is in use")?.kill_api_server()
    }

    /// Starts the API server again, and returns when it is ready.
    pub fn restart_api_server(&mut self) -> anyhow::Result<()> {
        let cluster = Arc::get_mut(&mut self.cluster);
        cluster
            .context("the cluster is in use")?
            .restart_api_server()
    }

    /// A request in clear to a node.
    #[must_use]
    pub fn destination(node: usize, host: &str, path: &str) -> Destination {
        Destination {
            address: Self::http(node),
            tls: None,
            host: host.to_owned(),
            path: path.to_owned(),
        }
    }

    /// Requests for a host through every node, to be answered by a backend whose name starts so.
    #[must_use]
    pub fn targets(host: &str, backend: &str) -> Vec<Target> {
        let target = |node| Target {
            destination: Self::destination(node, host, "/"),
            others: Vec::new(),
            backend: backend.to_owned(),
        };
        (0..Self::NODES).map(target).collect()
    }

    fn last_lines(&self) -> String {
        let all = self.control_plane.iter().chain(&self.data_planes);
        all.map(|process| format!("{} last said:\n{}\n", process.name(), process.last_lines()))
            .collect()
    }
}

const INTROSPECTION: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8444);
const METRICS: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8445);
/// Generous for a busy machine with two cores.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);
