//! How etcd and kube-apiserver are started: their flags, and the addresses that the flags speak of.

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use anyhow::Context as _;

use super::Cluster;
use super::authority::Authority;
use crate::kubernetes_tools::KubernetesTools;
use crate::namespace::Namespace;
use crate::process::Program;

pub(super) fn etcd(tools: &KubernetesTools, namespace: &Namespace) -> anyhow::Result<Program> {
    let mut data = OsString::from("--data-dir=");
    data.push(namespace.folder().join("etcd"));
    Ok(
        Program::new("etcd", tools.program("etcd")?, &namespace.logs())
            .inside(namespace)
            .arg(data)
            .args([
                format!("--listen-client-urls=http://{ETCD}"),
                format!("--advertise-client-urls=http://{ETCD}"),
                format!("--listen-peer-urls=http://{ETCD_PEERS}"),
                // A test's data need not survive the machine.
                "--unsafe-no-fsync".to_owned(),
                "--log-level=warn".to_owned(),
            ]),
    )
}

pub(super) fn api_server(
    tools: &KubernetesTools,
    namespace: &Namespace,
    authority: &Authority,
) -> anyhow::Result<Program> {
    let serving = authority.serving_certificate(
        "kube-apiserver",
        &[
            "kubernetes",
            "kubernetes.default",
            "kubernetes.default.svc",
            "localhost",
        ],
        &[Namespace::CONTROL, KUBERNETES_SERVICE, Ipv4Addr::LOCALHOST],
    )?;
    let accounts = authority.key_pair(SERVICE_ACCOUNTS)?;
    // For logs, exec and port-forward.
    let kubelets =
        authority.client_certificate("api-server-to-kubelets", Some("system:masters"))?;
    let path = |flag: &str, path: &Path| -> anyhow::Result<String> {
        Ok(format!(
            "--{flag}={}",
            path.to_str()
                .context("the folder for temporary files is not UTF-8")?
        ))
    };
    Ok(Program::new(
        "kube-apiserver",
        tools.program("kube-apiserver")?,
        &namespace.logs(),
    )
    .inside(namespace)
    .args([
        format!("--etcd-servers=http://{ETCD}"),
        format!("--bind-address={}", Namespace::CONTROL),
        format!("--advertise-address={}", Namespace::CONTROL),
        format!("--secure-port={}", Cluster::API_SERVER.port()),
        format!("--service-cluster-ip-range={SERVICES}"),
        path("tls-cert-file", &serving.certificate)?,
        path("tls-private-key-file", &serving.key)?,
        path("client-ca-file", authority.certificate())?,
        path("service-account-key-file", &accounts.public)?,
        path("service-account-signing-key-file", &accounts.private)?,
        path("kubelet-client-certificate", &kubelets.certificate)?,
        path("kubelet-client-key", &kubelets.key)?,
        "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
        "--authorization-mode=Node,RBAC".to_owned(),
        "--allow-privileged=true".to_owned(),
        "--kubelet-preferred-address-types=InternalIP".to_owned(),
    ]))
}

/// The name of the files of the key that signs the tokens of service accounts.
pub(super) const SERVICE_ACCOUNTS: &str = "service-accounts";
/// The namespace is the cluster's own, so fixed ports clash with nobody.
pub(super) const ETCD: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 2379);
const ETCD_PEERS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 2380);
const SERVICES: &str = "10.96.0.0/16";
/// The first address of `SERVICES` is that of the Service `kubernetes`.
const KUBERNETES_SERVICE: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 1);
