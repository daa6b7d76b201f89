//! What makes things happen in a cluster: the controllers, the scheduler, and CoreDNS, all in the control network.

use std::fs;

use anyhow::Context as _;
use tokio::net::TcpStream;

use super::LIMIT;
use crate::kubernetes::Cluster;
use crate::namespace::Namespace;
use crate::process::{Process, Program};

/// They run until they are dropped.
#[derive(Debug)]
pub(super) struct Controllers {
    _all: [Process; 3],
}

impl Controllers {
    pub(super) fn start(cluster: &Cluster) -> anyhow::Result<Self> {
        let mut all = [
            controller_manager(cluster)?.start()?,
            scheduler(cluster)?.start()?,
            dns(cluster)?.start()?,
        ];
        let [_, _, dns] = &mut all;
        cluster.namespace().run(async || {
            dns.wait_until("CoreDNS to answer", LIMIT, async || {
                TcpStream::connect((Namespace::CONTROL, 53)).await.map(drop)
            })
            .await
        })?;
        Ok(Self { _all: all })
    }
}

fn controller_manager(cluster: &Cluster) -> anyhow::Result<Program> {
    let kubeconfig = cluster.kubeconfig_for("system:kube-controller-manager", None)?;
    Ok(program(cluster, "kube-controller-manager")?
        .arg("--kubeconfig")
        .arg(kubeconfig)
        .arg("--service-account-private-key-file")
        .arg(cluster.service_account_key())
        .arg("--root-ca-file")
        .arg(cluster.authority_certificate())
        .args([
            "--use-service-account-credentials",
            "--leader-elect=false",
            "--bind-address=127.0.0.1",
            // A node's pods are on the addresses that the test has routes for.
            "--allocate-node-cidrs=false",
            "--cluster-cidr=10.244.0.0/16",
            // So that a lost node is noticed while a scenario lasts.
            "--node-monitor-period=2s",
            "--node-monitor-grace-period=20s",
        ]))
}

fn scheduler(cluster: &Cluster) -> anyhow::Result<Program> {
    let kubeconfig = cluster.kubeconfig_for("system:kube-scheduler", None)?;
    Ok(program(cluster, "kube-scheduler")?
        .arg("--kubeconfig")
        .arg(kubeconfig)
        .args(["--leader-elect=false", "--bind-address=127.0.0.1"]))
}

fn dns(cluster: &Cluster) -> anyhow::Result<Program> {
    let configuration = cluster.namespace().folder().join("Corefile");
    fs::write(
        &configuration,
        format!(
            "
.:53 {{
    bind {}
    errors
    cache 5
    kubernetes cluster.local {{
        kubeconfig {}
    }}
}}
",
            Namespace::CONTROL,
            cluster.kubeconfig().display()
        ),
    )
    .with_context(|| format!("cannot write {}", configuration.display()))?;
    Ok(program(cluster, "coredns")?.arg("-conf").arg(configuration))
}

fn program(cluster: &Cluster, name: &str) -> anyhow::Result<Program> {
    let namespace = cluster.namespace();
    let path = cluster.tools().program(name)?;
    Ok(Program::new(name, path, &namespace.logs()).inside(namespace))
}
