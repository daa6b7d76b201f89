//! What is answered to a path: the facts, without a socket.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use serde_json::json;
use sluice_proto::Problem;
use tokio::sync::watch;

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
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) content_type: &'static str,
    pub(crate) body: String,
}

impl Admin {
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

    fn ready(&self) -> Answer {
        let unready = |why: &str| text(StatusCode::SERVICE_UNAVAILABLE, why);
        match self.health.state() {
            State::Draining => unready("draining\n"),
            State::Serving => text(StatusCode::OK, "ready\n"),
            State::Starting if self.health.edge.snapshot().is_empty() => {
                unready("no snapshot yet, so no listener is open\n")
            }
            State::Starting => {
                let problems = self.health.problems();
                let problems = problems.iter().map(|problem| format!("{problem}\n"));
                unready(&format!(
                    "not all listeners are open\n{}",
                    problems.collect::<String>()
                ))
            }
        }
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
