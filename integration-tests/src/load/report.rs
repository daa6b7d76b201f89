//! What became of every request of a load.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::ensure;

use super::Target;
use crate::client::Answer;

/// What became of one request.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Its number, from 0, in the order of departure.
    pub number: usize,
    /// The proxy's socket.
    pub address: SocketAddr,
    /// The host that it asked for.
    pub host: String,
    /// Whether it could use a connection that was open already.
    pub kept_alive: bool,
    /// When it left, from the start of the load.
    pub at: Duration,
    /// How long it took.
    pub latency: Duration,
    /// The answer, or why there is none.
    pub result: Result<Summary, String>,
    expected: String,
}

/// An answer without its body.
#[derive(Clone, Debug)]
pub struct Summary {
    /// The status.
    pub status: u16,
    /// The backend that answered; `None` if the proxy did.
    pub backend: Option<String>,
    /// `Proxy-Status`: why the proxy answered.
    pub proxy_status: String,
    /// The certificate of the connection, see [`crate::certificates::fingerprint`].
    pub certificate: Option<String>,
}

impl From<&Answer> for Summary {
    fn from(answer: &Answer) -> Self {
        Self {
            status: answer.status.as_u16(),
            backend: answer.backend().map(str::to_owned),
            proxy_status: answer.header("proxy-status").to_owned(),
            certificate: answer.certificate.clone(),
        }
    }
}

impl Outcome {
    pub(super) fn new(number: usize, target: &Target, kept_alive: bool, at: Duration) -> Self {
        Self {
            number,
            address: target.destination.address,
            host: target.destination.host.clone(),
            kept_alive,
            at,
            latency: Duration::ZERO,
            result: Err("unfinished".to_owned()),
            expected: target.backend.clone(),
        }
    }

    /// The status; `None` if there was no answer.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.result.as_ref().ok().map(|answer| answer.status)
    }

    /// Whether it was not answered with 200 by the backend that it was meant for.
    #[must_use]
    pub fn failed(&self) -> bool {
        let Ok(answer) = &self.result else {
            return true;
        };
        let backend = answer.backend.as_deref().unwrap_or_default();
        answer.status != 200 || !backend.starts_with(&self.expected)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let connection = if self.kept_alive { "kept alive" } else { "new" };
        let Self {
            number,
            host,
            address,
            at,
            latency,
            expected,
            ..
        } = self;
        write!(
            f,
            "#{number} at {at:.1?} to {host} via {address} ({connection}), {latency:.1?}: "
        )?;
        match &self.result {
            Ok(Summary {
                status,
                backend,
                proxy_status,
                ..
            }) => {
                write!(
                    f,
                    "{status} from {}, not {expected}",
                    backend.as_deref().unwrap_or("the proxy itself")
                )?;
                if proxy_status.is_empty() {
                    Ok(())
                } else {
                    write!(f, " ({proxy_status})")
                }
            }
            Err(error) => f.write_str(error),
        }
    }
}

/// Everything that happened.
#[derive(Clone, Debug)]
pub struct Report {
    outcomes: Vec<Outcome>,
}

impl Report {
    pub(super) fn new(mut outcomes: Vec<Outcome>) -> Self {
        outcomes.sort_by_key(|outcome| outcome.number);
        Self { outcomes }
    }

    /// All outcomes, in the order of departure.
    #[must_use]
    pub fn outcomes(&self) -> &[Outcome] {
        &self.outcomes
    }

    /// Those that failed.
    pub fn failures(&self) -> impl Iterator<Item = &Outcome> {
        self.outcomes.iter().filter(|outcome| outcome.failed())
    }

    /// An error that shows the first failures, if there are any, or if there were fewer than `enough` requests: a load
    /// that was hardly there proves nothing.
    pub fn require_no_failure(&self, enough: usize) -> anyhow::Result<()> {
        ensure!(
            self.outcomes.len() >= enough,
            "only {} requests were sent, not {enough}",
            self.outcomes.len()
        );
        ensure!(self.failures().next().is_none(), "{self}");
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut latencies: Vec<Duration> = self
            .outcomes
            .iter()
            .map(|outcome| outcome.latency)
            .collect();
        latencies.sort_unstable();
        let at = |share: usize| {
            latencies
                .get(latencies.len() * share / 100)
                .copied()
                .unwrap_or_default()
        };
        let (total, failed) = (self.outcomes.len(), self.failures().count());
        write!(
            f,
            "{failed} of {total} requests failed (median {:.1?}, 99 % within {:.1?})",
            at(50),
            at(99)
        )?;
        for failure in self.failures().take(SHOWN) {
            write!(f, "\n  {failure}")?;
        }
        if failed > SHOWN {
            write!(f, "\n  and {} more", failed - SHOWN)
        } else {
            Ok(())
        }
    }
}

const SHOWN: usize = 12;
