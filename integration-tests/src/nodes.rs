//! A Kubernetes of three real nodes: kubelet, containerd and kube-proxy, each node with a network, a process tree,
//! mounts and cgroups of its own, beside a real API server with its controllers and CoreDNS.
//!
//! ```text
//!   control        10.200.0.1         API server, etcd, controllers, scheduler, CoreDNS; the bridge that joins all
//!   node-1 to -3   10.200.0.11 to 13  pods 10.244.N.0/24
//!   outside        10.200.0.100       clients: knows the nodes, and no pod
//! ```
//!
//! No route leads out. It knows nothing of Sluice: scenarios apply its manifests as a user would. In contrast to
//! [`crate::kubernetes`], everything that is declared here happens.

mod containerd;
mod controllers;
mod init;
mod kubelet;
mod network;
mod node;

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tokio::time::Instant;

use self::controllers::Controllers;
pub use self::node::Node;
use crate::kubernetes::Cluster;
use crate::kubernetes_tools::KubernetesTools;
use crate::namespace::Namespace;

/// A running cluster. Dropping it ends everything.
#[derive(Debug)]
pub struct Nodes {
    // In the order in which they are ended.
    nodes: Vec<Node>,
    images: Vec<PathBuf>,
    _controllers: Controllers,
    outside: Arc<Namespace>,
    cluster: Cluster,
}

impl Nodes {
    /// How many nodes there are.
    pub const COUNT: usize = Namespace::NODES.len();

    /// Starts one whose nodes have these images, and returns when all nodes are ready. Says on the standard error what it
    /// is at.
    pub fn start(images: &[PathBuf]) -> anyhow::Result<Self> {
        let started = Instant::now();
        let say = |what: &str| eprintln!("[{:>5.1} s] {what}", started.elapsed().as_secs_f64());
        let tools = KubernetesTools::find_for_nodes()?;
        say("starting etcd and the API server");
        let namespace = Namespace::create_bare()?;
        network::control(&namespace)?;
        let cluster = Cluster::start_in(namespace, tools)?;
        say("starting the controllers, the scheduler and CoreDNS");
        let controllers = Controllers::start(&cluster)?;
        let outside = network::outside(&cluster)?;
        let mut nodes = Vec::new();
        for number in 1..=Self::COUNT {
            say(&format!("starting node-{number}"));
            nodes.push(Node::start(number, &cluster, images)?);
        }
        let all = Self {
            nodes,
            images: images.to_vec(),
            _controllers: controllers,
            outside: Arc::new(outside),
            cluster,
        };
        all.wait_until_ready()?;
        say("all nodes are ready");
        Ok(all)
    }

    /// The control components, with their `kubectl`.
    #[must_use]
    pub const fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// The same, to stop and start its API server.
    pub const fn cluster_mut(&mut self) -> &mut Cluster {
        &mut self.cluster
    }

    /// A node, counted from 0.
    #[must_use]
    pub fn node(&mut self, index: usize) -> &mut Node {
        &mut self.nodes[index]
    }

    /// Starts a node again after [`Node::power_off`]: kubelet and containerd find what they left on disk.
    pub fn power_on(&mut self, index: usize) -> anyhow::Result<()> {
        self.nodes[index].power_on(&self.cluster)
    }

    /// Puts another machine in the place of a node: nothing is left of what was on it, nor does the API server know it, until
    /// it joins under the same name and address.
    pub fn replace(&mut self, index: usize) -> anyhow::Result<()> {
        drop(self.nodes.remove(index));
        let number = index + 1;
        let forgotten = ["delete", "node", &format!("node-{number}")];
        self.cluster.kubectl(&forgotten)?;
        let node = Node::start(number, &self.cluster, &self.images)?;
        self.nodes.insert(index, node);
        Ok(())
    }

    /// Where clients are.
    #[must_use]
    pub fn outside(&self) -> &Arc<Namespace> {
        &self.outside
    }

    /// A node's address.
    #[must_use]
    pub const fn address(index: usize) -> Ipv4Addr {
        Namespace::NODES[index]
    }

    /// Waits until the API server says that all nodes are ready.
    pub fn wait_until_ready(&self) -> anyhow::Result<()> {
        self.cluster
            .kubectl(&[
                "wait",
                "--for=condition=Ready",
                "nodes",
                "--all",
                "--timeout=120s",
            ])
            .with_context(|| self.last_lines())?;
        let names = self
            .cluster
            .kubectl(&["get", "nodes", "--output=name"])?
            .lines()
            .count();
        ensure!(names == Self::COUNT, "there are {names} nodes");
        Ok(())
    }

    /// What the nodes' programs said last, for a failure's message.
    #[must_use]
    pub fn last_lines(&self) -> String {
        self.nodes.iter().map(Node::last_lines).collect()
    }
}

/// Generous for a busy machine with two cores.
const LIMIT: Duration = Duration::from_secs(60);
