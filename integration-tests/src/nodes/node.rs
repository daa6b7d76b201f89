//! One node: its programs, and what may happen to it.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};

use super::init::Init;
use super::{LIMIT, containerd, kubelet, network};
use crate::kubernetes::Cluster;
use crate::namespace::Namespace;
use crate::process::Process;

/// A node. Dropping it ends everything on it.
#[derive(Debug)]
pub struct Node {
    number: usize,
    programs: Option<Programs>,
    namespace: Namespace,
}

/// What runs on a node that is up.
#[derive(Debug)]
struct Programs {
    // In the order in which they are ended: with the first, all end.
    init: Init,
    containerd: Process,
    kubelet: Process,
    kube_proxy: Process,
}

impl Node {
    /// Makes a node, gives it these images, and lets it join the cluster.
    pub(super) fn start(
        number: usize,
        cluster: &Cluster,
        images: &[PathBuf],
    ) -> anyhow::Result<Self> {
        let namespace = network::node(cluster, number)?;
        let mut node = Self {
            number,
            programs: None,
            namespace,
        };
        // Its pods have addresses that the test has routes for.
        cluster.apply(&format!(
            "
apiVersion: v1
kind: Node
metadata: {{ name: node-{number}, labels: {{ kubernetes.io/os: linux }} }}
spec: {{ podCIDR: {pods}, podCIDRs: [{pods}] }}
",
            pods = network::pods(number)
        ))?;
        let programs = node.boot(cluster)?;
        for image in images {
            import(&programs.init, image)?;
        }
        node.programs = Some(programs);
        Ok(node)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> String {
        format!("node-{}", self.number)
    }

    /// Ends everything on it at once, as a power failure does. What is on its disk stays.
    pub fn power_off(&mut self) -> anyhow::Result<()> {
        let mut programs = self.programs.take().context("the node is off already")?;
        programs.init.kill()
    }

    pub(super) fn power_on(&mut self, cluster: &Cluster) -> anyhow::Result<()> {
        ensure!(self.programs.is_none(), "the node is on already");
        self.programs = Some(self.boot(cluster)?);
        Ok(())
    }

    /// Ends its kubelet, so that the API server does not hear of it any more; its containers go on.
    pub fn stop_kubelet(&mut self) -> anyhow::Result<()> {
        self.programs()?.kubelet.kill().map(drop)
    }

    /// Runs a program of the machine on it, such as `iptables`, and returns what it printed.
    pub fn run(&mut self, command: &[&str]) -> anyhow::Result<String> {
        self.programs()?.init.run(command)
    }

    pub(super) fn last_lines(&self) -> String {
        let Some(programs) = &self.programs else {
            return format!("{} is off\n", self.name());
        };
        let Programs {
            init,
            containerd,
            kubelet,
            kube_proxy,
        } = programs;
        let mut text = format!("{} last said:\n{}\n", self.name(), init.last_lines());
        for process in [containerd, kubelet, kube_proxy] {
            text += &format!("{} last said:\n{}\n", process.name(), process.last_lines());
        }
        text
    }

    fn boot(&self, cluster: &Cluster) -> anyhow::Result<Programs> {
        let folder = self.namespace.folder();
        let init = Init::start(&self.namespace, &self.name())?;
        let mut containerd = containerd::program(&init, folder, self.number)?.start()?;
        self.namespace.run(async || {
            containerd
                .wait_until("containerd to answer", LIMIT, async || {
                    init.run(&["ctr", "--address", containerd::SOCKET, "version"])
                        .map_err(|error| format!("{error:#}"))
                })
                .await
                .context("Debian's packages containerd and runc have what a node needs")
        })?;
        let kubelet = kubelet::kubelet(&init, folder, cluster, self.number)?.start()?;
        let kube_proxy = kubelet::kube_proxy(&init, folder, cluster, self.number)?.start()?;
        Ok(Programs {
            init,
            containerd,
            kubelet,
            kube_proxy,
        })
    }

    fn programs(&mut self) -> anyhow::Result<&mut Programs> {
        let name = self.name();
        self.programs
            .as_mut()
            .with_context(|| format!("{name} is off"))
    }
}

fn import(init: &Init, archive: &Path) -> anyhow::Result<()> {
    let archive = archive.to_str().context("the path is not UTF-8")?;
    init.run(&[
        "ctr",
        "--address",
        containerd::SOCKET,
        "--namespace=k8s.io",
        "images",
        "import",
        archive,
    ])
    .with_context(|| format!("containerd does not take the image {archive}"))
    .map(drop)
}
