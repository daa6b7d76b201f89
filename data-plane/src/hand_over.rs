//! Hands the listening sockets and the snapshot of a node's data plane to the process that comes after it, so that an update
//! refuses nobody: both processes of the node meet at an abstract unix socket.
//!
//! [`meet`] and [`take_over`] are the part of the one that wants the sockets, [`hold`] of the one that has them, with one [`session`] for
//! each that wants them; [`holder`] and [`successor`] decide, without any I/O. [`greet`] proves to each end that the other
//! belongs to this installation ([`authentication`]), [`channel`] carries messages ([`message`]) and descriptors.
//!
//! It does not accept a connection of a client: it tells the edge which process does. Whatever fails here costs the smooth
//! hand-over and never the traffic: a process that meets nobody, or a stranger, binds its sockets itself.

mod authentication;
mod birth;
mod channel;
mod greet;
mod hold;
mod holder;
mod meet;
mod message;
mod session;
mod socket;
mod status;
mod successor;
mod take_over;

use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use sluice_proto::Problem;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::admin::MetricsPort;
use crate::disk_copy::{DiskCopy, Kept};
use crate::edge::Edge;
use crate::hand_over::authentication::Secrets;
use crate::hand_over::greet::Failure;
use crate::hand_over::hold::hold;
use crate::hand_over::meet::{Met, meet, snapshot};
use crate::hand_over::message::Greeting;
use crate::hand_over::status::HandOverMetrics;
use crate::hand_over::take_over::take_over;
use crate::identity::SealKeys;
use crate::metrics::Metrics;

pub(crate) use crate::hand_over::birth::Birth;
pub(crate) use crate::hand_over::meet::Handed;
pub(crate) use crate::hand_over::status::{Part, Status};

/// What a hand-over is made with.
pub(crate) struct HandOverConfig<'a> {
    pub(crate) node: String,
    /// Random for each process.
    pub(crate) instance: String,
    pub(crate) birth: Birth,
    pub(crate) installation: [u8; 16],
    pub(crate) seal_keys: &'a SealKeys,
    pub(crate) edge: Arc<Edge>,
    pub(crate) metrics_port: Option<Arc<MetricsPort>>,
    /// Seals the snapshot that is handed over.
    pub(crate) disk_copy: Arc<DiskCopy>,
    pub(crate) metrics: &'a Metrics,
}

/// The hand-over of one process: first its taking over, then its giving away.
pub(crate) struct HandOver {
    own: Arc<Own>,
    met: Result<Met, Failure>,
    leaving: watch::Receiver<bool>,
}

/// Tells the hand-over that this process was told to stop.
pub(crate) struct Leave {
    own: Arc<Own>,
    leaving: watch::Sender<bool>,
}

/// What both parts of a hand-over need of this process.
struct Own {
    node: String,
    greeting: Greeting,
    birth: Birth,
    // Where the processes of this node meet.
    name: String,
    secrets: Secrets,
    edge: Arc<Edge>,
    metrics_port: Option<Arc<MetricsPort>>,
    disk_copy: Arc<DiskCopy>,
    metrics: HandOverMetrics,
    status: watch::Sender<Status>,
}

/// Says what is served now.
pub(crate) type Keep = Arc<dyn Fn() -> Kept + Send + Sync>;

impl HandOver {
    /// Looks for another data plane of this node, and takes its snapshot if there is one. No listener is opened until
    /// [`Self::run`] finds out whose they are.
    pub(crate) async fn begin(
        config: HandOverConfig<'_>,
        status: watch::Sender<Status>,
    ) -> (Self, Leave, Option<Handed>) {
        let own = Arc::new(Own {
            name: socket::name(&config.installation, &config.node),
            secrets: Secrets::derive(config.seal_keys, &config.node),
            greeting: Greeting {
                instance: config.instance,
                build_version: env!("CARGO_PKG_VERSION").to_owned(),
                birth_unix_ns: config.birth.unix_ns,
                birth_random: config.birth.random,
                wants_snapshot: false,
            },
            node: config.node,
            birth: config.birth,
            edge: config.edge,
            metrics_port: config.metrics_port,
            disk_copy: config.disk_copy,
            metrics: HandOverMetrics::register(config.metrics),
            status,
        });
        let name = own.name.clone();
        own.status.send_modify(|status| status.name = Some(name));
        own.edge.hold();
        let mut met = meet(&own, true).await;
        let handed = match &mut met {
            Ok(Met::Predecessor(link)) => match snapshot(&own, link).await {
                Ok(handed) => handed,
                Err(why) => {
                    met = Err(why);
                    None
                }
            },
            Ok(Met::Nobody) | Err(_) => None,
        };
        let (leave, leaving) = watch::channel(false);
        let leave = Leave {
            own: Arc::clone(&own),
            leaving: leave,
        };
        (Self { own, met, leaving }, leave, handed)
    }

    /// Takes the sockets as soon as this process can serve and may have them, or lets the edge bind its own if there is
    /// nobody to take them from; then offers them to whoever comes next.
    pub(crate) async fn run(
        self,
        keep: Keep,
        seal_keys: watch::Receiver<Option<SealKeys>>,
    ) -> Infallible {
        let own = &self.own;
        let holding = async {
            let (listener, predecessor) = take_over(own, self.met).await;
            hold(own, listener, predecessor, keep, self.leaving).await
        };
        tokio::select! {
            never = holding => never,
            never = own.follow(seal_keys) => never,
        }
    }
}

impl Leave {
    /// Says that this process was told to stop. Returns when its successor has the sockets alone, or at once if there is
    /// none.
    pub(crate) async fn leave(&self) {
        self.leaving.send_replace(true);
        // Without a snapshot there is nothing that another process could take.
        if self.own.edge.snapshot().is_empty() {
            return;
        }
        let mut status = self.own.status.subscribe();
        let gone = status.wait_for(|status| match status.part {
            Part::LetGo => true,
            Part::HandedOver => false,
            _ => status.successors == 0,
        });
        // Whoever asked for the sockets and does not take them is not waited for much longer.
        let _ = timeout(SUCCESSOR, gone).await;
    }
}

impl Own {
    /// Lets this process bind what it needs.
    fn release(&self) {
        self.edge.release();
        if let Some(port) = &self.metrics_port {
            port.release();
        }
    }

    // However often the seal key is renewed while this process lives, whoever comes next knows one that this one knows.
    async fn follow(&self, mut seal_keys: watch::Receiver<Option<SealKeys>>) -> Infallible {
        while seal_keys.changed().await.is_ok() {
            if let Some(keys) = *seal_keys.borrow_and_update() {
                self.secrets.follow(&keys);
            }
        }
        // Nobody looks any more: this process is about to end.
        pending().await
    }

    fn serves(&self) -> bool {
        self.edge.status().serving
    }

    fn note(&self, problem: Option<Problem>) {
        self.status.send_if_modified(|status| {
            let changed = status.problem != problem;
            status.problem = problem;
            changed
        });
    }
}

/// How often each end shows that it lives, and how long it may be silent.
const BEAT: Duration = Duration::from_secs(1);
const SILENCE: Duration = Duration::from_secs(5);
/// How long a process that was told to stop waits for one that is about to take over.
const SUCCESSOR: Duration = Duration::from_secs(5);
