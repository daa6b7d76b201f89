//! What is answered to a path: the facts, without a socket.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use prometheus_client::metrics::counter::Counter;
use serde_json::json;
use sluice_proto::Problem;
use tokio::sync::watch;

use crate::admin::access::may_read;
use crate::health::{Health, State};
use crate::metrics::Metrics;
use crate::sync::{Link, SyncStatus};

/// What the admin socket knows.
pub(crate) struct Admin {
    pub(crate) node: String,
    pub(crate) control_plane: String,
    pub(crate) health: Arc<Health>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) sync: watch::Receiver<SyncStatus>,
    /// Counts those who asked for metrics over the network and may not.
    pub(crate) metrics_refused: Counter,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) content_type: &'static str,
    pub(crate) body: String,
}

impl Admin {
    /// Returns the counter of those who asked for metrics over the network and may not, encoded with the others.
    pub(crate) fn register(metrics: &Metrics) -> Counter {
        let refused = Counter::default();
        metrics.extend(|registry| {
            registry.register(
                "metrics_peers_refused",
                "Connections to the port for metrics closed at once because their peer may not read them",
                refused.clone(),
            );
        });
        refused
    }

    /// Returns the answer to this path.
    pub(crate) fn answer(&self, path: &str) -> Answer {
        match path {
            "/live" => self.live(),
            "/metrics" => self.metrics(),
            "/ready" => self.ready(),
            "/status" => self.status(),
            _ => text(
                StatusCode::NOT_FOUND,
                "there are /ready, /live, /status and /metrics\n",
            ),
        }
    }

    /// Returns all metrics.
    pub(crate) fn metrics(&self) -> Answer {
        Answer {
            status: StatusCode::OK,
            content_type: "application/openmetrics-text; version=1.0.0; charset=utf-8",
            body: self.metrics.encode(),
        }
    }

    /// Returns whether this peer may read the metrics over the network, and counts it if not.
    pub(crate) fn may_read_metrics(&self, peer: SocketAddr) -> bool {
        let edge = &self.health.edge;
        let settings = edge.settings();
        let settings = (!edge.snapshot().is_empty()).then_some(&*settings);
        let may = may_read(peer, settings);
        if !may {
            self.metrics_refused.inc();
            tracing::debug!(%peer, "refused to show the metrics");
        }
        may
    }

    fn ready(&self) -> Answer {
        let unready = |why: &str| text(StatusCode::SERVICE_UNAVAILABLE, why);
        let waits = self.health.hand_over.borrow().waits_because();
        match (self.health.state(), waits) {
            (State::Draining, _) => unready("draining\n"),
            (State::Serving | State::HandedOver, _) => text(StatusCode::OK, "ready\n"),
            (State::Starting, Some(why)) => unready(&format!("{why}\n")),
            (State::Starting, None) => unready(&self.not_open()),
        }
    }

    fn not_open(&self) -> String {
        if self.health.edge.snapshot().is_empty() {
            return "no snapshot yet, so no listener is open\n".to_owned();
        }
        let problems = self.health.edge.listener_problems();
        let problems = problems.iter().map(|problem| format!("{problem}\n"));
        format!(
            "not all listeners are open\n{}",
            problems.collect::<String>()
        )
    }

    fn hand_over(&self) -> serde_json::Value {
        let status = self.health.hand_over.borrow();
        json!({
            "part": status.part.as_str(),
            "since": status.since.to_string(),
            "socket": status.name.as_ref().map(|name| format!("@{name}")),
            "peer": status.peer.as_ref().map(|peer| json!({
                "instance": peer.instance,
                "version": peer.build_version,
            })),
            "successors": status.successors,
        })
    }

    fn live(&self) -> Answer {
        let silent = self.health.edge.heartbeat();
        if silent > LONGEST_SILENCE {
            let why = format!("a thread has not moved for {} s\n", silent.as_secs());
            return text(StatusCode::SERVICE_UNAVAILABLE, &why);
        }
        text(StatusCode::OK, "live\n")
    }

    fn status(&self) -> Answer {
        let edge = self.health.edge.status();
        let sync = self.sync.borrow().clone();
        let state = match self.health.state() {
            State::Starting => "starting",
            State::Serving => "serving",
            State::HandedOver => "handed over",
            State::Draining => "draining",
        };
        let problems: Vec<_> = self.health.problems().iter().map(problem).collect();
        let status = json!({
            "node": self.node,
            "version": env!("CARGO_PKG_VERSION"),
            "state": state,
            "generation": sync.generation,
            "listeners": edge.listeners,
            "connections": edge.connections,
            "handOver": self.hand_over(),
            "controlPlane": self.link(&sync.link),
            "problems": problems,
        });
        Answer {
            status: StatusCode::OK,
            content_type: "application/json",
            body: format!("{status:#}\n"),
        }
    }

    fn link(&self, link: &Link) -> serde_json::Value {
        match link {
            Link::Up { since, address } => json!({
                "address": address,
                "connected": true,
                "since": since.to_string(),
            }),
            Link::Down { since, reason, .. } => json!({
                "address": self.control_plane,
                "connected": false,
                "since": since.to_string(),
                "reason": reason,
            }),
        }
    }
}

fn problem(problem: &Problem) -> serde_json::Value {
    json!({
        "code": problem.code,
        "object": problem.object.to_string(),
        "field": problem.field,
        "message": problem.message,
        "remedy": problem.remedy,
    })
}

fn text(status: StatusCode, body: &str) -> Answer {
    Answer {
        status,
        content_type: "text/plain; charset=utf-8",
        body: body.to_owned(),
    }
}

/// Threads show several times a second that they are alive; on a machine that swaps, a second is soon gone.
const LONGEST_SILENCE: Duration = Duration::from_secs(10);
