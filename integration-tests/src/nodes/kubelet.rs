//! The kubelet of a node, and its kube-proxy.

use std::fs;
use std::path::Path;

use anyhow::Context as _;

use super::containerd::SOCKET;
use super::init::Init;
use crate::kubernetes::Cluster;
use crate::namespace::Namespace;
use crate::process::Program;

/// Returns how a node's kubelet is started.
pub(super) fn kubelet(
    init: &Init,
    folder: &Path,
    cluster: &Cluster,
    number: usize,
) -> anyhow::Result<Program> {
    let name = format!("node-{number}");
    let kubeconfig =
        cluster.kubeconfig_for(&format!("system:node:{name}"), Some("system:nodes"))?;
    let authority = cluster.authority_certificate();
    let configuration = folder.join("kubelet.yaml");
    // Pods look names up at CoreDNS; CoreDNS itself asks nobody.
    fs::write(folder.join("resolv.conf"), "")?;
    fs::write(
        &configuration,
        format!(
            "
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {{ anonymous: {{ enabled: false }}, webhook: {{ enabled: false }}, x509: {{ clientCAFile: {} }} }}
authorization: {{ mode: AlwaysAllow }}
cgroupDriver: cgroupfs
cgroupsPerQOS: false
enforceNodeAllocatable: []
failCgroupV1: false
failSwapOn: false
localStorageCapacityIsolation: false
evictionHard: {{ memory.available: 1Mi, nodefs.available: 1%, imagefs.available: 1% }}
imageGCHighThresholdPercent: 100
clusterDNS: [{}]
clusterDomain: cluster.local
resolvConf: {}
containerRuntimeEndpoint: unix://{SOCKET}
# How late a pod sees a changed Secret; a minute by default.
syncFrequency: 5s
nodeStatusUpdateFrequency: 4s
nodeStatusReportFrequency: 20s
",
            authority.display(),
            Namespace::CONTROL,
            folder.join("resolv.conf").display(),
        ),
    )
    .with_context(|| format!("cannot write {}", configuration.display()))?;
    let program = cluster.tools().program("kubelet")?;
    Ok(init
        .program("kubelet", program, &folder.join("logs"))
        .arg("--config")
        .arg(configuration)
        .arg("--kubeconfig")
        .arg(kubeconfig)
        .arg(format!("--hostname-override={name}"))
        .arg(format!("--node-ip={}", Namespace::NODES[number - 1])))
}

/// Returns how a node's kube-proxy is started.
pub(super) fn kube_proxy(
    init: &Init,
    folder: &Path,
    cluster: &Cluster,
    number: usize,
) -> anyhow::Result<Program> {
    let kubeconfig = cluster.kubeconfig_for("system:kube-proxy", None)?;
    let configuration = folder.join("kube-proxy.yaml");
    fs::write(
        &configuration,
        format!(
            "
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
clientConnection: {{ kubeconfig: {} }}
clusterCIDR: 10.244.0.0/16
hostnameOverride: node-{number}
mode: iptables
# The machine's own limits are not the test's to change.
conntrack: {{ maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s }}
",
            kubeconfig.display()
        ),
    )
    .with_context(|| format!("cannot write {}", configuration.display()))?;
    let program = cluster.tools().program("kube-proxy")?;
    Ok(init
        .program("kube-proxy", program, &folder.join("logs"))
        .arg("--config")
        .arg(configuration))
}
