//! Pods: echo servers on addresses of their own. No kubelet starts them and no controller writes their
//! EndpointSlices: the scenario does both, in the order in which Kubernetes would.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::Path;
use std::time::Duration;

use anyhow::ensure;
use tokio::net::TcpStream;

use super::{LIMIT, System};
use crate::namespace::Namespace;
use crate::process::{Process, Program};

/// Starts pods of a system.
#[derive(Clone, Debug)]
pub struct Pods {
    program: Program,
}

/// A running pod. Dropping it ends it; its address stays.
#[derive(Debug)]
pub struct Pod {
    /// The address.
    pub ip: Ipv4Addr,
    process: Process,
}

impl Pods {
    /// The port that they all listen on.
    pub const PORT: u16 = 8000;

    /// Pods in the network of this system.
    #[must_use]
    pub fn of(system: &System) -> Self {
        let namespace = system.cluster().namespace();
        let program = Program::new("pods", &system.plan().programs().echo, &namespace.logs());
        Self {
            program: program.inside(namespace),
        }
    }

    /// The same that speak TLS, with the chain and the key of a PEM file.
    #[must_use]
    pub fn with_certificate(mut self, file: &Path) -> Self {
        self.program = self.program.arg("--certificate").arg(file);
        self
    }

    /// Starts a pod, and returns when it answers. After SIGTERM it still takes connections for `linger`.
    pub async fn start(
        &self,
        system: &System,
        name: &str,
        ip: Ipv4Addr,
        linger: Duration,
    ) -> anyhow::Result<Pod> {
        let address = SocketAddrV4::new(ip, Self::PORT);
        self.start_at(system, name, address, linger).await
    }

    /// The same on a port of its own: something else than a pod, such as what answers on a Service's address.
    pub async fn start_at(
        &self,
        system: &System,
        name: &str,
        address: SocketAddrV4,
        linger: Duration,
    ) -> anyhow::Result<Pod> {
        let ip = *address.ip();
        system.cluster().namespace().add_address(ip)?;
        let program = self.program.clone().arg(format!("--listen={address}"));
        let program = program
            .arg(format!("--name={name}"))
            .arg(format!("--linger-ms={}", linger.as_millis()));
        let mut process = program.start()?;
        let listens = async || TcpStream::connect(address).await.map(drop);
        process
            .wait_until(&format!("the pod {name} to listen"), LIMIT, listens)
            .await?;
        Ok(Pod { ip, process })
    }

    /// Starts `count` pods named `service-1` and so on, on addresses of the node's range from `index` on.
    pub async fn start_all(
        &self,
        system: &System,
        service: &str,
        count: u8,
        (node, index): (u8, u8),
    ) -> anyhow::Result<Vec<Pod>> {
        let mut pods = Vec::new();
        for number in 0..count {
            let ip = Namespace::pod(node, index + number);
            pods.push(
                self.start(
                    system,
                    &format!("{service}-{}", number + 1),
                    ip,
                    Duration::ZERO,
                )
                .await?,
            );
        }
        Ok(pods)
    }
}

impl Pod {
    /// Asks it to end, as the kubelet does first, and returns at once.
    pub fn terminate(&self) -> anyhow::Result<()> {
        self.process.terminate()
    }

    /// Ends it and takes its address away: what is sent there from now on vanishes.
    pub fn remove(mut self, system: &System) -> anyhow::Result<()> {
        let status = self.process.stop(GRACE)?;
        ensure!(
            status.success(),
            "a pod ended with {status}: {}",
            self.process.last_lines()
        );
        system.cluster().namespace().remove_address(self.ip)
    }

    /// Kills it and takes its address away, as a lost node would.
    pub fn lose(mut self, system: &System) -> anyhow::Result<()> {
        self.process.kill()?;
        system.cluster().namespace().remove_address(self.ip)
    }
}

/// Longer than a data plane keeps an idle connection to an endpoint that it no longer uses.
const GRACE: Duration = Duration::from_secs(60);
