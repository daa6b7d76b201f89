//! How much memory this process uses of what it may, and so what it gives up before the kernel ends it, which would cut off
//! everybody at once.
//!
//! A connection costs little while its client keeps up, and ten times as much if it does not: it asks for much and takes
//! nothing, or sends a large header section and does not end it. So whoever lets others wait goes first, and if that does
//! not suffice, nothing new is begun for a moment.

use std::fs;
use std::future;
use std::io;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::metrics::gauge::Gauge;
use sluice_proto::{ObjectReference, Problem};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use crate::edge::Edge;
use crate::metrics::Metrics;

/// How short memory is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Pressure {
    /// There is enough.
    None,
    /// Connections that wait for their clients are ended after a second.
    Tight,
    /// They are ended after a moment, new ones at once, and requests are answered 503.
    Scarce,
}

/// How short memory is now: written by who watches it, read by all cores.
#[derive(Debug, Default)]
pub(crate) struct PressureNow(AtomicU8);

impl PressureNow {
    pub(crate) fn load(&self) -> Pressure {
        match self.0.load(Ordering::Relaxed) {
            0 => Pressure::None,
            1 => Pressure::Tight,
            _ => Pressure::Scarce,
        }
    }

    pub(crate) fn store(&self, pressure: Pressure) {
        self.0.store(pressure as u8, Ordering::Relaxed);
    }
}

impl Pressure {
    /// Returns that of this use. What was short stays so until there is some more.
    fn of(used: u64, limit: NonZeroU64, before: Self) -> Self {
        let percent = u128::from(used) * 100 / u128::from(limit.get());
        let at_least = |from: u128, pressure| {
            let from = if before >= pressure {
                from - SLACK
            } else {
                from
            };
            percent >= from
        };
        if at_least(SCARCE, Self::Scarce) {
            Self::Scarce
        } else if at_least(TIGHT, Self::Tight) {
            Self::Tight
        } else {
            Self::None
        }
    }

    /// Returns how long a connection may wait for its client that may wait for so long else.
    pub(crate) fn patience(self, usual: Duration) -> Duration {
        match self {
            Self::None => usual,
            Self::Tight => usual.min(A_SECOND),
            Self::Scarce => usual.min(A_MOMENT),
        }
    }
}

/// Watches the use of memory for ever, and tells the edge and people when it is short.
pub(crate) struct Watch {
    /// How much this process may use, in bytes; nobody ends it if there is no limit.
    pub(crate) limit: Option<NonZeroU64>,
    pub(crate) edge: Arc<Edge>,
    /// The node's name, for people.
    pub(crate) node: String,
    pub(crate) problem: watch::Sender<Option<Problem>>,
}

impl Watch {
    /// Never returns; drop the future to end it.
    pub(crate) async fn run(self, metrics: Arc<Metrics>) {
        let Some(limit) = self.limit else {
            return future::pending().await;
        };
        let shown: Gauge<u64, AtomicU64> = Gauge::default();
        metrics.extend(|registry| {
            let help = "How short memory is: 0 not at all, 1 connections that wait for clients are ended, 2 nothing new is begun";
            registry.register("memory_pressure", help, shown.clone());
        });
        let mut pressure = Pressure::None;
        let mut told = false;
        let mut beats = interval(EACH);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            beats.tick().await;
            let used = match used() {
                Ok(used) => used,
                Err(error) => {
                    if !std::mem::replace(&mut told, true) {
                        tracing::error!(%error, "cannot see how much memory is used; nothing is given up before it ends");
                    }
                    continue;
                }
            };
            let now = Pressure::of(used, limit, pressure);
            if now != pressure {
                self.tell(now, used, limit);
                shown.set(now as u64);
                pressure = now;
            }
        }
    }

    fn tell(&self, pressure: Pressure, used: u64, limit: NonZeroU64) {
        self.edge.memory_is(pressure);
        let used = format!("{} of {} MiB", used >> 20, limit.get() >> 20);
        let problem = match pressure {
            Pressure::None => {
                tracing::info!(used, "memory suffices again");
                None
            }
            Pressure::Tight => Some(
                "connections that wait for their clients are ended after a second, so that the others go on",
            ),
            Pressure::Scarce => Some(
                "new connections are closed at once, requests are answered 503, and connections that wait for their \
                 clients are ended",
            ),
        };
        let problem = problem.map(|cost| {
            tracing::warn!(used, "memory is short: {cost}");
            self.short(&used, cost)
        });
        self.problem.send_replace(problem);
    }

    fn short(&self, used: &str, cost: &str) -> Problem {
        Problem {
            object: ObjectReference {
                kind: "Node".to_owned(),
                namespace: String::new(),
                name: self.node.clone(),
            },
            field: String::new(),
            code: "MemoryShort".to_owned(),
            message: format!("the data plane used {used}: {cost}"),
            remedy: "Raise its limit of memory, or lower limits.connections in the settings; if clients read too slowly \
                     on purpose, keep them out"
                .to_owned(),
        }
    }
}

/// Returns how many bytes count against this process' limit: its own, and what the kernel holds for its sockets.
fn used() -> io::Result<u64> {
    let statm = fs::read_to_string("/proc/self/statm")?;
    let pages: Option<u64> = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok());
    let pages = pages.ok_or_else(|| io::Error::other("/proc/self/statm has no second number"))?;
    Ok(pages * rustix::param::page_size() as u64 + sockets())
}

// Only a container's own group has this file beside its statistics; the whole machine's are none of ours. Before version 2
// of control groups, sockets are not counted.
fn sockets() -> u64 {
    let statistics = fs::metadata("/sys/fs/cgroup/memory.max")
        .and_then(|_| fs::read_to_string("/sys/fs/cgroup/memory.stat"));
    let statistics = statistics.unwrap_or_default();
    let mut lines = statistics.lines();
    let bytes = lines.find_map(|line| line.strip_prefix("sock ")?.parse().ok());
    bytes.unwrap_or_default()
}

// In percent of the limit.
const TIGHT: u128 = 75;
const SCARCE: u128 = 85;
const SLACK: u128 = 5;
const A_SECOND: Duration = Duration::from_secs(1);
const A_MOMENT: Duration = Duration::from_millis(200);
/// A flood of thousands of connections a second fills the rest in a tenth of a second.
const EACH: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_short_from_a_share_on_and_until_there_is_some_more() {
        let limit = NonZeroU64::new(1000).unwrap();
        let of = |used, before| Pressure::of(used, limit, before);
        assert_eq!(of(749, Pressure::None), Pressure::None);
        assert_eq!(of(750, Pressure::None), Pressure::Tight);
        assert_eq!(of(710, Pressure::Tight), Pressure::Tight);
        assert_eq!(of(699, Pressure::Tight), Pressure::None);
        assert_eq!(of(850, Pressure::Tight), Pressure::Scarce);
        assert_eq!(of(810, Pressure::Scarce), Pressure::Scarce);
        assert_eq!(of(790, Pressure::Scarce), Pressure::Tight);
        assert_eq!(of(u64::MAX, Pressure::None), Pressure::Scarce);
    }

    #[test]
    fn what_this_process_uses_is_seen() {
        let before = used().unwrap();
        let much = vec![1_u8; 64 << 20];
        let more = used().unwrap();
        assert!(
            more >= before + (60 << 20),
            "{before} {more} {}",
            much.len()
        );
    }
}
