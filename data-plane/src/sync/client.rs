//! Connects to the control plane, again and again, and carries what the machine decides.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use sluice_proto::wire::snapshot_stream_client::SnapshotStreamClient;
use sluice_proto::{Difference, Refusal, wire};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use tonic::transport::{Channel, Endpoint, Uri};
use tower::service_fn;

use crate::health::{Health, State};
use crate::identity::Identity;
use crate::metrics::Metrics;
use crate::sync::course::{Course, Heading, Next};
use crate::sync::dial::dial;
use crate::sync::failure::Failure;
use crate::sync::machine::{Machine, Step};
use crate::sync::metrics::StreamMetrics;
use crate::sync::status::{Link, SyncStatus};

/// What the stream is made with.
#[derive(Clone, Debug)]
pub(crate) struct SyncConfig {
    pub(crate) node: String,
    /// `HOST:PORT`.
    pub(crate) control_plane: String,
    pub(crate) identity_dir: PathBuf,
}

/// The client of the stream.
pub(crate) struct StreamClient {
    pub(crate) config: SyncConfig,
    pub(crate) health: Arc<Health>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) stream_metrics: StreamMetrics,
    /// Who reads it also learns that the client has ended: it is dropped then.
    pub(crate) status: watch::Sender<SyncStatus>,
    /// Random for each process.
    pub(crate) instance: String,
}

impl StreamClient {
    /// Holds a stream for ever: whenever it ends, it is opened again, soon at first and then less often; or at once where
    /// the control plane says.
    pub(crate) async fn run(self) {
        let mut wait = FIRST_WAIT;
        let mut last_logged = String::new();
        let mut course = Course::default();
        loop {
            let began = Instant::now();
            let heading = course.heading().clone();
            let ended = self.stream(&heading).await;
            let lasted = began.elapsed();
            self.stream_metrics.connected.set(0);
            let reason = match &ended {
                Ok(redirect) => redirect.line(),
                Err(error) => error.line(),
            };
            self.status
                .send_modify(|status| status.link.lose(reason.clone()));
            let next = match &ended {
                Ok(Redirect { address, from }) => {
                    tracing::info!("{reason}");
                    course.redirected(address, *from, lasted)
                }
                Err(_) => course.failed(lasted),
            };
            if next == Next::AtOnce {
                if let (Err(_), Some(leader)) = (&ended, heading.leader) {
                    tracing::info!(reason, %leader, "cannot reach the leader; asks any replica");
                }
                continue;
            }
            if ended.is_err() {
                self.log_failure(&reason, &mut last_logged);
            }
            if lasted > LONG {
                wait = FIRST_WAIT;
                last_logged.clear();
            }
            // Nodes that lost the same control plane must not come back all at once.
            sleep(wait.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
            wait = (wait * 2).min(LAST_WAIT);
        }
    }

    fn log_failure(&self, reason: &str, last_logged: &mut String) {
        if reason == last_logged {
            tracing::debug!(reason, "still no stream from the control plane");
        } else {
            tracing::warn!(
                reason,
                control_plane = self.config.control_plane,
                "no stream from the control plane; what is held is served on"
            );
            reason.clone_into(last_logged);
        }
    }

    /// Holds a stream until the control plane sends it elsewhere.
    async fn stream(&self, heading: &Heading) -> Result<Redirect, Failure> {
        let (say, said) = mpsc::channel(QUEUE);
        let generation = self.status.borrow().generation;
        let hello = Machine::hello(
            &self.config.node,
            &self.instance,
            &self.health.edge.snapshot(),
            generation,
            heading.leader_unreachable,
        );
        // It has room for the first, and whoever takes is in the next line.
        let _ = say.try_send(hello);
        let opened = self.open(heading, said);
        let (mut received, peer) = match heading.leader {
            Some(_) => timeout(LEADER, opened).await.map_err(|_| Failure::Late)??,
            None => opened.await?,
        };
        let address = peer.map_or_else(
            || self.config.control_plane.clone(),
            |peer| peer.to_string(),
        );
        tracing::info!(control_plane = address, "connected to the control plane");
        self.stream_metrics.connected.set(1);
        self.stream_metrics.opened.inc();
        self.status
            .send_modify(|status| status.link = Link::up(address));
        let mut machine = Machine::default();
        let mut looks = interval(BETWEEN_LOOKS);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let answer = tokio::select! {
                message = received.message() => {
                    let message = message.map_err(Failure::of_status)?.ok_or(Failure::Ended)?;
                    let held = || self.health.edge.snapshot().holdings();
                    match machine.on_message(message, held).map_err(Failure::Violation)? {
                        Step::Wait => None,
                        Step::Redirect(address) => return Ok(Redirect { address, from: peer }),
                        Step::Say(answer) => Some(answer),
                        Step::Apply { generation, difference, refused } => {
                            let refused = self.apply(generation, difference, refused).await?;
                            Some(Machine::applied(generation, refused))
                        }
                    }
                }
                _ = looks.tick() => machine.report(self.report()),
            };
            if let Some(answer) = answer {
                say.send(answer).await.map_err(|_| Failure::Ended)?;
            }
        }
    }

    /// Opens a stream, and returns it with the address of who answers.
    async fn open(
        &self,
        heading: &Heading,
        said: mpsc::Receiver<wire::DataPlaneMessage>,
    ) -> Result<(Streaming<wire::ControlPlaneMessage>, Option<SocketAddr>), Failure> {
        let peer = Arc::new(OnceLock::new());
        let channel = self.connect(heading, Arc::clone(&peer)).await?;
        let received = SnapshotStreamClient::new(channel)
            .max_decoding_message_size(MAX_MESSAGE)
            .max_encoding_message_size(MAX_MESSAGE)
            .sync(ReceiverStream::new(said))
            .await
            .map_err(Failure::of_status)?;
        Ok((received.into_inner(), peer.get().copied()))
    }

    async fn connect(
        &self,
        heading: &Heading,
        peer: Arc<OnceLock<SocketAddr>>,
    ) -> Result<Channel, Failure> {
        let identity = Identity::read(&self.config.identity_dir).map_err(Failure::Identity)?;
        let target = match heading.leader {
            Some(leader) => leader.to_string(),
            None => self.config.control_plane.clone(),
        };
        let avoid = heading.avoid;
        let connect = service_fn(move |_: Uri| {
            let (target, peer) = (target.clone(), Arc::clone(&peer));
            async move {
                let stream = dial(&target, avoid).await?;
                // Only the first connection has a stream.
                let _ = peer.set(stream.inner().peer_addr()?);
                Ok::<_, std::io::Error>(stream)
            }
        });
        Endpoint::from_static("https://control-plane.sluice.internal")
            .tls_config(identity.tls_config())
            .map_err(Failure::Connect)?
            .connect_timeout(CONNECT)
            // A control plane that vanished without a word is noticed within the two together.
            .http2_keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE)
            .connect_with_connector(connect)
            .await
            .map_err(Failure::Connect)
    }

    async fn apply(
        &self,
        generation: u64,
        difference: Difference,
        mut refused: Vec<Refusal>,
    ) -> Result<Vec<Refusal>, Failure> {
        let changed = difference.upserted.len() + difference.removed.len();
        let edge = Arc::clone(&self.health.edge);
        let apply = move || edge.apply(difference);
        refused.extend(
            tokio::task::spawn_blocking(apply)
                .await
                .map_err(Failure::Apply)?,
        );
        for refusal in &refused {
            tracing::error!(
                kind = refusal.kind,
                name = refusal.name,
                reason = refusal.reason,
                "refused a resource; its last good version stays"
            );
        }
        tracing::info!(
            generation,
            changed,
            refused = refused.len(),
            "applied a snapshot"
        );
        self.metrics.set_generation(generation);
        self.status.send_modify(|status| {
            status.generation = generation;
            status.applied += 1;
        });
        Ok(refused)
    }

    fn report(&self) -> wire::Report {
        let state = match self.health.state() {
            State::Starting => wire::report::State::Starting,
            State::Serving => wire::report::State::Serving,
            State::HandedOver => wire::report::State::HandedOver,
            State::Draining => wire::report::State::Draining,
        };
        wire::Report {
            state: state.into(),
            problems: self.health.problems().iter().map(Into::into).collect(),
        }
    }
}

/// The control plane sent the data plane to another replica.
#[derive(Debug)]
struct Redirect {
    /// "ip:port"; empty for whichever answers.
    address: String,
    from: Option<SocketAddr>,
}

impl Redirect {
    fn line(&self) -> String {
        match self.address.as_str() {
            "" => "sent to ask the other replicas of the control plane".to_owned(),
            address => format!("sent to the replica of the control plane that leads, at {address}"),
        }
    }
}

const FIRST_WAIT: Duration = Duration::from_millis(100);
/// A node that was cut off is to converge within two seconds of the cut's healing: one try and one wait.
const LAST_WAIT: Duration = Duration::from_millis(750);
const LONG: Duration = Duration::from_secs(10);
/// How long the leader may take to answer.
const LEADER: Duration = Duration::from_secs(2);
const CONNECT: Duration = Duration::from_secs(10);
const KEEP_ALIVE: Duration = Duration::from_secs(5);
/// Shorter than listeners take to close: whoever is told to stop says so before it ends.
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);
const QUEUE: usize = 16;
/// A chunk is about 1 MiB; one resource, such as the endpoints of a very large Service, may be more.
const MAX_MESSAGE: usize = 64 << 20;
