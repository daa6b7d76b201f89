//! The source `kube`: watches an API server for IngressClasses, Ingresses, Services, EndpointSlices, Nodes, Settings and
//! what is written for Traefik in the whole cluster, and for Secrets where they are referred to.
//!
//! It does not decide what an object means. While the API server is away, what was sent stays. Kinds that an API server
//! need not know are optional (`kinds.rs`): the first snapshot does not wait for them, and they are watched as soon as they
//! are there.

mod api_server;
mod backoff;
mod kept;
mod secrets;
mod watch;

use std::ffi::OsStr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::FutureExt;
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use sluice_translate::Object;
use tokio::sync::{mpsc, watch as level};
use tokio::task::JoinSet;

use crate::kinds;
use crate::metrics::Metrics;
use crate::source::kube::api_server::ApiServer;
use crate::source::kube::watch::{Watching, watch};
use crate::source::{QUEUE, SecretNames, Source, SourceError, SourceTask};

/// Returns a client for the API server that the kubeconfig files name (separated by colons, as kubectl has it); without
/// any, for that of the pod's service account; outside a cluster, of ~/.kube/config.
///
/// # Errors
///
/// If there is no usable configuration. Whether the API server answers is not tried.
pub async fn client(kubeconfig: Option<&OsStr>) -> Result<kube::Client, ClientError> {
    let files = kubeconfig.filter(|files| !files.is_empty());
    let mut config = match files {
        Some(files) => {
            let mut merged = Kubeconfig::default();
            for file in std::env::split_paths(files) {
                let next = Kubeconfig::read_from(&file).map_err(ClientError::Kubeconfig)?;
                merged = merged.merge(next).map_err(ClientError::Kubeconfig)?;
            }
            kubeconfig_config(merged).await?
        }
        None if std::env::var_os(IN_CLUSTER).is_some() => {
            kube::Config::incluster().map_err(ClientError::InCluster)?
        }
        None => {
            let file = Kubeconfig::read().map_err(ClientError::Kubeconfig)?;
            kubeconfig_config(file).await?
        }
    };
    config.connect_timeout = Some(CONNECT);
    // Longer than a watch is silent: a watch ends after a minute.
    config.read_timeout = Some(READ);
    kube::Client::try_from(config).map_err(ClientError::Client)
}

/// Starts to watch.
#[must_use]
pub fn start(client: kube::Client, metrics: Arc<Metrics>) -> (Source, SourceTask) {
    let (sender, batches) = mpsc::channel(QUEUE);
    let (wanted, wanted_receiver) = level::channel(SecretNames::new());
    let api_server = ApiServer::new(client.clone(), sender.clone(), metrics);
    let watching = Watching {
        client,
        api_server: Arc::new(api_server),
        batches: sender,
        unlisted: Arc::default(),
    };
    let source = Source {
        batches,
        secrets: Some(wanted),
    };
    (source, run(watching, wanted_receiver).boxed())
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The user's kubeconfig cannot be used, or there is none.
    #[error("no usable kubeconfig; name one with --kubeconfig, or use --source files")]
    Kubeconfig(#[source] KubeconfigError),
    /// The pod's service account cannot be used.
    #[error("the pod's service account cannot be used; see automountServiceAccountToken")]
    InCluster(#[source] kube::config::InClusterError),
    /// The configuration does not make a client.
    #[error("the configuration of the API server cannot be used")]
    Client(#[source] kube::Error),
}

async fn kubeconfig_config(file: Kubeconfig) -> Result<kube::Config, ClientError> {
    let options = KubeConfigOptions::default();
    let config = kube::Config::from_custom_kubeconfig(file, &options).await;
    config.map_err(ClientError::Kubeconfig)
}

async fn run(
    watching: Watching,
    wanted: level::Receiver<SecretNames>,
) -> Result<std::convert::Infallible, SourceError> {
    let all = || watching.clone();
    let watches = [
        watch(all(), kinds::INGRESS_CLASS, Object::IngressClass).boxed(),
        watch(all(), kinds::INGRESS, Object::Ingress).boxed(),
        watch(all(), kinds::SERVICE, Object::Service).boxed(),
        watch(all(), kinds::ENDPOINT_SLICE, Object::EndpointSlice).boxed(),
        watch(all(), kinds::NODE, Object::Node).boxed(),
        watch(all(), kinds::SETTINGS, Object::Settings).boxed(),
        watch(all(), kinds::POLICY, Object::Policy).boxed(),
        watch(all(), kinds::MIDDLEWARE, Object::Middleware).boxed(),
        watch(all(), kinds::SERVERS_TRANSPORT, Object::ServersTransport).boxed(),
        watch(all(), kinds::TLS_OPTION, Object::TlsOption).boxed(),
    ];
    // None of them runs before it is spawned.
    watching.unlisted.store(watches.len(), Ordering::Release);
    let mut parts: JoinSet<_> = watches.into_iter().collect();
    parts.spawn(secrets::watch_secrets(watching.clone(), wanted));
    let api_server = Arc::clone(&watching.api_server);
    drop(watching);
    parts.spawn(async move { api_server.probe().await });
    match parts.join_next().await {
        Some(Ok(ended)) => ended,
        Some(Err(error)) => Err(SourceError::Part(error)),
        None => Err(SourceError::Closed),
    }
}

const IN_CLUSTER: &str = "KUBERNETES_SERVICE_HOST";
const CONNECT: Duration = Duration::from_secs(5);
const READ: Duration = Duration::from_secs(90);
