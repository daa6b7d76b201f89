//! What a request may ask of the echo server's answer, whatever the answer is: a status, headers, to fail some times first,
//! or to be held until it is let go. Answers themselves are in [`answer`](super::answer).

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use tokio::sync::watch;

use super::answer::parameter;

/// What one request asks for.
#[derive(Debug)]
pub(super) struct Wishes {
    status: Option<StatusCode>,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// How many of the requests with the same [`SEQUENCE_HEADER`] fail before one does not.
    failures: u32,
    held: bool,
    sequence: String,
}

/// What is known of sequences of requests, by all connections.
#[derive(Debug, Default)]
pub(super) struct Sequences {
    /// How many requests have failed.
    failed: Mutex<HashMap<String, u32>>,
    /// Whether requests are let go.
    gates: Mutex<HashMap<String, watch::Sender<bool>>>,
}

impl Wishes {
    pub(super) fn of<B>(request: &Request<B>) -> Self {
        let query = request.uri().query().unwrap_or_default();
        let headers = query
            .split('&')
            .filter_map(|pair| pair.strip_prefix("header=")?.split_once(':'));
        let sequence = request.headers().get(SEQUENCE_HEADER);
        Self {
            status: parameter(query, "status"),
            headers: headers
                .filter_map(|(name, value)| Some((name.parse().ok()?, value.parse().ok()?)))
                .collect(),
            failures: parameter(query, "fail").unwrap_or(0),
            held: query.split('&').any(|name| name == "hold"),
            sequence: sequence
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default()
                .to_owned(),
        }
    }

    pub(super) fn fulfil<B>(self, response: &mut Response<B>) {
        if response.status() == StatusCode::OK
            && let Some(status) = self.status
        {
            *response.status_mut() = status;
        }
        let mut seen = Vec::new();
        for (name, value) in self.headers {
            // The first replaces what the answer has of its own, more are added.
            if seen.contains(&name) {
                response.headers_mut().append(name, value);
            } else {
                seen.push(name.clone());
                response.headers_mut().insert(name, value);
            }
        }
    }
}

impl Sequences {
    /// Returns whether this request is one of those that are to fail, and counts it.
    pub(super) fn fails(&self, wishes: &Wishes) -> bool {
        if wishes.failures == 0 {
            return false;
        }
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        let failed = failed.entry(wishes.sequence.clone()).or_default();
        let fails = *failed < wishes.failures;
        *failed += u32::from(fails);
        fails
    }

    /// Completes when this request is let go: at once, unless it wants to be held.
    pub(super) async fn wait_for_gate(&self, wishes: &Wishes) {
        if wishes.held {
            let mut open = self.with_gate(wishes, watch::Sender::subscribe);
            // The sender lives as long as this.
            let _ = open.wait_for(|open| *open).await;
        }
    }

    /// Returns how many requests of this one's sequence are held.
    pub(super) fn held(&self, wishes: &Wishes) -> usize {
        self.with_gate(wishes, watch::Sender::receiver_count)
    }

    /// Lets go of what is held of this one's sequence, and of what comes.
    pub(super) fn let_go(&self, wishes: &Wishes) {
        self.with_gate(wishes, |gate| gate.send_replace(true));
    }

    fn with_gate<T>(&self, wishes: &Wishes, look: impl FnOnce(&watch::Sender<bool>) -> T) -> T {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        look(gates.entry(wishes.sequence.clone()).or_default())
    }
}

/// Tells which requests belong together, where some of them are to fail.
pub const SEQUENCE_HEADER: &str = "x-echo-sequence";
