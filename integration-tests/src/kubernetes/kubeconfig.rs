//! Credentials for the API server as a kubeconfig file, and a client made from one.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::json;

use super::Cluster;
use super::authority::{self, Authority};

/// Writes a kubeconfig for a user with a certificate of their own. (JSON is YAML, and needs no
/// quoting by hand.)
pub(super) fn write(
    authority: &Authority,
    user: &str,
    group: Option<&str>,
) -> anyhow::Result<PathBuf> {
    let credentials = authority.client_certificate(user, group)?;
    let path = authority.file(user, "kubeconfig");
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{ "name": "test", "cluster": {
            "server": format!("https://{}", Cluster::API_SERVER),
            "certificate-authority": authority.certificate(),
        }}],
        "users": [{ "name": user, "user": {
            "client-certificate": credentials.certificate,
            "client-key": credentials.key,
        }}],
        "contexts": [{ "name": "test", "context": { "cluster": "test", "user": user } }],
        "current-context": "test",
    });
    authority::write(&path, &serde_json::to_string_pretty(&config)?)?;
    Ok(path)
}

/// Makes a client from a kubeconfig.
pub(super) async fn client(path: &Path) -> anyhow::Result<kube::Client> {
    let context = || format!("cannot make a client from {}", path.display());
    let file = Kubeconfig::read_from(path).with_context(context)?;
    let mut config = kube::Config::from_custom_kubeconfig(file, &KubeConfigOptions::default())
        .await
        .with_context(context)?;
    // The environment's proxy cannot be reached from a test's network, and is not meant for it.
    config.proxy_url = None;
    kube::Client::try_from(config).with_context(context)
}
