//! The stream and introspection of a control plane, running on loopback; what is published the test says.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use sluice_control_plane::identity::{Identity, Store};
use sluice_control_plane::introspection::IntrospectionServer;
use sluice_control_plane::leadership::Leadership;
use sluice_control_plane::metrics::Metrics;
use sluice_control_plane::publication::Publisher;
use sluice_control_plane::stream::{Nodes, Registry, StreamServer};
use sluice_proto::wire::introspection_client::IntrospectionClient;
use sluice_proto::{CertificateMaterial, Listener, Version};
use sluice_translate::{EdgeSettings, Objects, Options, parse_objects, translate};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;

use crate::wait::soon;

/// A control plane without a source. Dropped, it ends at once.
pub(crate) struct Running {
    pub(crate) publisher: Publisher,
    pub(crate) registry: Registry,
    pub(crate) identity: Arc<Identity>,
    /// Whether it leads, as the test has it.
    pub(crate) leadership: watch::Sender<Leadership>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) stream: SocketAddr,
    pub(crate) introspection: SocketAddr,
    folder: Arc<TempDir>,
    shutdown: CancellationToken,
    servers: JoinSet<anyhow::Result<()>>,
}

impl Running {
    /// Starts one that has published nothing.
    pub(crate) async fn start() -> Self {
        Self::start_with(Arc::new(tempfile::tempdir().unwrap())).await
    }

    /// Starts one that has published the objects of this text.
    pub(crate) async fn with(yaml: &str) -> Self {
        let running = Self::start().await;
        running.publish(yaml);
        running
    }

    /// Starts another replica of it.
    pub(crate) async fn replica(&self) -> Self {
        Self::start_with(Arc::clone(&self.folder)).await
    }

    /// Ends it and starts another one on its identity folder.
    pub(crate) async fn restart(self) -> Self {
        let folder = Arc::clone(&self.folder);
        self.end().await;
        Self::start_with(folder).await
    }

    /// Ends it as SIGTERM does.
    pub(crate) async fn end(mut self) {
        self.shutdown.cancel();
        while let Some(ended) = soon("the servers end", self.servers.join_next()).await {
            ended.unwrap().unwrap();
        }
    }

    async fn start_with(folder: Arc<TempDir>) -> Self {
        let listen = async || TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (stream, introspection) = (listen().await, listen().await);
        let addresses = [&stream, &introspection].map(|listener| listener.local_addr().unwrap());
        let identity = Arc::new(Identity::open(Store::folder(folder.path())).await.unwrap());
        let (publisher, registry) = (Publisher::new(), Registry::new());
        let leadership = watch::Sender::new(Leadership::Alone);
        let metrics = Arc::new(Metrics::new());
        let shutdown = CancellationToken::new();
        let stream = StreamServer {
            listener: stream,
            identity: Arc::clone(&identity),
            publisher: publisher.clone(),
            registry: registry.clone(),
            metrics: Arc::clone(&metrics),
            leadership: leadership.subscribe(),
        };
        let introspection = IntrospectionServer {
            listener: introspection,
            publications: publisher.subscribe(),
            nodes: registry.subscribe(),
            leadership: leadership.subscribe(),
        };
        let mut servers = JoinSet::new();
        let (first, second) = (shutdown.clone(), shutdown.clone());
        servers.spawn(async { Ok(stream.serve(first).await?) });
        servers.spawn(async { Ok(introspection.serve(second).await?) });
        Self {
            publisher,
            registry,
            identity,
            leadership,
            metrics,
            stream: addresses[0],
            introspection: addresses[1],
            folder,
            shutdown,
            servers,
        }
    }

    /// Publishes what the objects of this text mean.
    pub(crate) fn publish(&self, yaml: &str) {
        self.publish_with(yaml, |_| {});
    }

    /// Publishes what the objects of this text mean under other settings than the default ones.
    pub(crate) fn publish_with(&self, yaml: &str, change: impl FnOnce(&mut EdgeSettings)) {
        let parsed = parse_objects(yaml);
        assert_eq!(parsed.problems, []);
        let mut objects = Objects::default();
        for object in parsed.objects {
            let _ = objects.apply(object);
        }
        let mut settings = EdgeSettings::default();
        change(&mut settings);
        let options = Options {
            settings,
            default_certificate: self.default_certificate(),
        };
        self.publisher.publish(translate(&objects, &options));
    }

    pub(crate) fn default_certificate(&self) -> CertificateMaterial {
        self.identity.default_certificate()
    }

    /// Returns how many messages it has sent to data planes, and how many bytes they were.
    pub(crate) fn sent(&self) -> [u64; 2] {
        let metrics = self.metrics.encode().unwrap();
        ["messages", "bytes"].map(|what| {
            let name = format!("sluice_stream_sent_{what}_total ");
            let line = metrics.lines().find_map(|line| line.strip_prefix(&name));
            line.unwrap().parse().unwrap()
        })
    }

    /// Returns the number and the digest of what is published.
    pub(crate) fn published(&self) -> (u64, Version) {
        let publications = self.publisher.subscribe();
        let latest = publications.borrow().clone().unwrap();
        (latest.generation, latest.digest())
    }

    pub(crate) fn generation(&self) -> u64 {
        self.published().0
    }

    /// Returns the folder that data planes are given.
    pub(crate) fn data_plane_folder(&self) -> std::path::PathBuf {
        self.identity_folder().join("data-plane")
    }

    pub(crate) fn identity_folder(&self) -> &Path {
        self.folder.path()
    }

    /// Waits until the data planes are so.
    pub(crate) async fn nodes(&self, what: &str, condition: impl FnMut(&Nodes) -> bool) {
        let mut nodes = self.registry.subscribe();
        soon(what, nodes.wait_for(condition)).await.unwrap();
    }

    /// Waits until the published generation is live on so many of so many nodes.
    pub(crate) async fn live(&self, live: usize, total: usize) {
        let what = format!("live on {live} of {total}");
        self.nodes(&what, |nodes| {
            let liveness = nodes.liveness(self.generation());
            (liveness.live, liveness.total) == (live, total)
        })
        .await;
    }

    /// Returns a client of introspection.
    pub(crate) async fn introspect(&self) -> IntrospectionClient<Channel> {
        IntrospectionClient::new(self.channel().await)
    }

    /// Returns a channel to introspection.
    pub(crate) async fn channel(&self) -> Channel {
        let url = format!("http://{}", self.introspection);
        let endpoint = Channel::from_shared(url).unwrap();
        soon("introspection accepts", endpoint.connect())
            .await
            .unwrap()
    }
}

/// Returns a change of settings that makes the snapshot another one.
pub(crate) fn listen_on(port: u16) -> impl FnOnce(&mut EdgeSettings) {
    move |settings| {
        let listeners: &mut Vec<Listener> = &mut settings.listeners;
        listeners[0].port = port;
    }
}
