//! Standing for election, and what only the leader does: Events, and the status of Ingresses.
//!
//! It decides nothing: it joins the parts by their channels.

use std::net::SocketAddr;
use std::sync::Arc;

use futures_util::stream;
use tokio::sync::{broadcast, watch};

use crate::app::tasks::Tasks;
use crate::args::Args;
use crate::events::{self, Place};
use crate::host::hostname;
use crate::leadership::{Candidate, Leadership, Standing, while_leading};
use crate::metrics::Metrics;
use crate::publication::Publisher;
use crate::reconcile::arrivals::Arrived;
use crate::status::board::Board;
use crate::status::{self, Facts};
use crate::stream::Registry;

/// Returns who leads, and the work of finding out, unless this replica is the only one.
pub(super) fn stand(
    args: &Args,
    client: Option<&kube::Client>,
    publisher: &Publisher,
    metrics: &Arc<Metrics>,
) -> (watch::Receiver<Leadership>, Option<Standing>) {
    let (Some(client), Some(namespace)) = (client, &args.namespace) else {
        metrics.leads(true);
        return (watch::channel(Leadership::Alone).1, None);
    };
    let address = args.pod_address;
    let candidate = Candidate {
        identity: args.pod.clone().unwrap_or_else(hostname),
        address: address.map(|ip| SocketAddr::new(ip, args.stream_address.port()).to_string()),
    };
    let (standing, leadership) = Standing::new(
        client.clone(),
        namespace,
        candidate,
        publisher.subscribe(),
        Arc::clone(metrics),
    );
    (leadership, Some(standing))
}

/// What the leader's work is made with.
pub(super) struct LeadersWork {
    pub(super) leadership: watch::Receiver<Leadership>,
    pub(super) publisher: Publisher,
    pub(super) registry: Registry,
    pub(super) board: watch::Receiver<Board>,
    pub(super) arrived: broadcast::Sender<Arc<Arrived>>,
    pub(super) metrics: Arc<Metrics>,
}

impl LeadersWork {
    /// Starts it, and what every replica says in its log.
    pub(super) fn spawn(self, client: Option<kube::Client>, tasks: &mut Tasks) {
        let (publications, nodes) = (self.publisher.subscribe(), self.registry.subscribe());
        let problems = events::problems(publications, nodes);
        let metrics = Arc::clone(&self.metrics);
        let log = events::tell(problems, stream::pending(), Place::Log, metrics);
        tasks.spawn("telling of problems in the log", log);
        let Some(client) = client else { return };
        let facts = Facts {
            board: self.board.clone(),
            nodes: self.registry.subscribe(),
            publications: self.publisher.subscribe(),
        };
        let (statuses, metrics) = (client.clone(), Arc::clone(&self.metrics));
        let status = while_leading(self.leadership.clone(), move || {
            status::keep(facts.clone(), statuses.clone(), Arc::clone(&metrics))
        });
        tasks.spawn("the status of Ingresses", status);
        let leadership = self.leadership.clone();
        let events = while_leading(leadership, move || self.tell(client.clone()));
        tasks.spawn("telling of Events", events);
    }

    fn tell(&self, client: kube::Client) -> impl Future<Output = ()> + use<> {
        let nodes = self.registry.subscribe();
        let problems = events::problems(self.publisher.subscribe(), nodes.clone());
        let arrived = self.arrived.subscribe();
        let lives = events::lives(arrived, nodes, Arc::clone(&self.metrics));
        events::tell(
            problems,
            lives,
            Place::Events(client),
            Arc::clone(&self.metrics),
        )
    }
}
