//! An edge with its resources.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use sluice_data_plane::edge::{Edge, EdgeConfig};
use sluice_data_plane::metrics::Metrics;
use sluice_proto::{Refusal, Resource, ResourceKey, Settings, Snapshot};

use super::eventually;
use super::resources::listeners;

/// An edge, and all that it was told.
pub(crate) struct TestEdge {
    pub(crate) edge: Arc<Edge>,
    pub(crate) metrics: Arc<Metrics>,
    log: Log,
    resources: BTreeMap<ResourceKey, Resource>,
}

impl TestEdge {
    /// Starts an edge on the node `node-a` that has no snapshot yet.
    pub(crate) fn empty() -> Self {
        Self::with_connections(usize::MAX)
    }

    /// The same, with so many connections of clients and to endpoints at most.
    pub(crate) fn with_connections(most_connections: usize) -> Self {
        Self::start(|config| config.most_connections = most_connections)
    }

    /// The same; names may resolve to the loopback.
    pub(crate) fn reaching_loopback() -> Self {
        Self::start(|config| config.reachable = vec!["127.0.0.0/8".parse().unwrap()])
    }

    /// The same, configured otherwise.
    pub(crate) fn start(change: impl FnOnce(&mut EdgeConfig)) -> Self {
        let metrics = Arc::new(Metrics::new());
        let log = Log::default();
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let listen = ["http", "https"].map(|name| (name.to_owned(), any_port));
        let mut config = EdgeConfig {
            most_connections: usize::MAX,
            node: "node-a".to_owned(),
            cores: NonZeroUsize::new(2).unwrap(),
            listen: BTreeMap::from(listen),
            reachable: Vec::new(),
            access_log: Box::new(log.clone()),
        };
        change(&mut config);
        Self {
            edge: Arc::new(Edge::start(config, Arc::clone(&metrics)).unwrap()),
            metrics,
            log,
            resources: BTreeMap::new(),
        }
    }

    /// Starts an edge with the listeners `http` and `https` and these resources.
    pub(crate) fn serving(resources: impl IntoIterator<Item = Resource>) -> Self {
        Self::empty().with(resources)
    }

    /// Serves the listeners `http` and `https` and these resources.
    pub(crate) fn with(mut self, resources: impl IntoIterator<Item = Resource>) -> Self {
        let refused = self.apply(listeners().into_iter().chain(resources));
        assert_eq!(refused, []);
        self
    }

    /// Serves these resources beside, or in place of, those that it was told before.
    pub(crate) fn apply(&mut self, resources: impl IntoIterator<Item = Resource>) -> Vec<Refusal> {
        let resources = resources.into_iter();
        self.resources
            .extend(resources.map(|resource| (resource.key(), resource)));
        self.sync()
    }

    /// Serves without this resource.
    pub(crate) fn remove(&mut self, resource: &Resource) -> Vec<Refusal> {
        self.resources.remove(&resource.key());
        self.sync()
    }

    /// Changes the settings.
    pub(crate) fn settings(&mut self, change: impl FnOnce(&mut Settings)) {
        let mut settings = Settings::clone(&self.edge.settings());
        change(&mut settings);
        let refused = self.apply([Resource::Settings(Box::new(settings))]);
        assert_eq!(refused, []);
    }

    fn sync(&self) -> Vec<Refusal> {
        let target = Snapshot::of(self.resources.values());
        self.edge.apply(target.changes_since(&self.edge.snapshot()))
    }

    /// Returns where this listener is.
    pub(crate) fn address(&self, listener: &str) -> SocketAddr {
        let status = self.edge.status();
        let open = status.listeners.iter().find(|open| open.name == listener);
        open.unwrap_or_else(|| panic!("{listener} is not open: {status:?}"))
            .address
    }

    pub(crate) fn http(&self) -> SocketAddr {
        self.address("http")
    }

    pub(crate) fn https(&self) -> SocketAddr {
        self.address("https")
    }

    /// Returns the first line of the access log that `is` wanted, once it is there.
    pub(crate) async fn line(&self, is: impl Fn(&Value) -> bool) -> Value {
        let mut found = None;
        eventually("a line of the access log", async || {
            found = self.lines().into_iter().find(&is);
            found.is_some()
        })
        .await;
        found.unwrap()
    }

    /// Returns the lines of the access log so far.
    pub(crate) fn lines(&self) -> Vec<Value> {
        let bytes = self.log.0.lock().unwrap().clone();
        let text = String::from_utf8(bytes).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// Returns the sum of the samples of this metric whose labels contain `labels`.
    pub(crate) fn metric(&self, name: &str, labels: &str) -> f64 {
        let text = self.metrics.encode();
        let samples = text.lines().filter(|line| {
            let rest = line.strip_prefix(name);
            rest.is_some_and(|rest| rest.starts_with(['{', ' ']) && rest.contains(labels))
        });
        samples
            .map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
            .sum()
    }
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
