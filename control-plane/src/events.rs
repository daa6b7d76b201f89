//! Tells users what is wrong, and what is live, where they look: as Kubernetes Events on the object, and in the log.
//!
//! It does not find problems and never holds up who does: it reads levels, and what came and went unseen was not worth
//! telling. With the source `files` there is only the log.

mod ledger;
mod live;
mod post;
mod problems;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, StreamExt};
use sluice_proto::Problem;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

pub use crate::events::live::{Live, lives};
pub use crate::events::problems::problems;

use crate::events::ledger::{Ledger, Notice};
use crate::events::post::Poster;
use crate::metrics::{Metrics, Outcome};
use crate::source::SOURCE;

/// Where problems are told.
pub enum Place {
    /// In the log.
    Log,
    /// As Events, posted through this client.
    Events(kube::Client),
}

/// Tells about the problems that `problems` says there are: each item is all of them; and about each that `lives` says is
/// live. Returns when one of the streams ends.
pub async fn tell(
    problems: impl Stream<Item = BTreeSet<Problem>>,
    lives: impl Stream<Item = Vec<Live>>,
    place: Place,
    metrics: Arc<Metrics>,
) {
    let mut problems = std::pin::pin!(problems);
    let mut lives = std::pin::pin!(lives);
    let mut teller = Teller {
        ledger: Ledger::default(),
        poster: match place {
            Place::Log => None,
            Place::Events(client) => Some(Poster::new(client)),
        },
        metrics,
        failing: false,
    };
    // Both the API server and the reader have better things to do, however many objects broke at once.
    let mut pace = interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let due = teller.ledger.next_due();
        let next = async {
            match due {
                Some(due) => sleep_until(due).await,
                None => std::future::pending().await,
            }
            pace.tick().await;
        };
        tokio::select! {
            now = problems.next() => match now {
                Some(now) => teller.ledger.update(&now, Instant::now()),
                None => return,
            },
            live = lives.next() => match live {
                Some(live) => teller.take_in(live),
                None => return,
            },
            () = next => teller.tell_next().await,
        }
    }
}

struct Teller {
    ledger: Ledger,
    poster: Option<Poster>,
    metrics: Arc<Metrics>,
    failing: bool,
}

impl Teller {
    fn take_in(&mut self, lives: Vec<Live>) {
        for live in lives {
            self.ledger.became_live(live, Instant::now());
        }
    }

    async fn tell_next(&mut self) {
        let Some(notice) = self.ledger.due(Instant::now()) else {
            return;
        };
        let told = match &self.poster {
            Some(poster) => self.post(poster, &notice).await,
            None => {
                log(&notice);
                Ok(())
            }
        };
        match told {
            Ok(()) => {
                self.failing = false;
                self.ledger.told(&notice, Instant::now());
            }
            Err(error) => {
                self.metrics.event(Outcome::Failed);
                if !self.failing {
                    tracing::warn!(error = %error, "Events cannot be posted; they are tried again");
                }
                self.failing = true;
                self.ledger.failed(&notice, Instant::now());
            }
        }
    }

    async fn post(&self, poster: &Poster, notice: &Notice) -> kube::Result<()> {
        let posted = tokio::time::timeout(POST, poster.post(notice)).await;
        let posted = posted.unwrap_or_else(|elapsed| Err(kube::Error::Service(elapsed.into())))?;
        if posted {
            self.metrics.event(Outcome::Posted);
        }
        Ok(())
    }
}

fn log(notice: &Notice) {
    match notice {
        // The source says that itself, since it must before anything is published.
        Notice::Wrong { problem, .. } | Notice::Resolved(problem)
            if problem.object.kind == SOURCE => {}
        Notice::Wrong { problem, count: 1 } => tracing::warn!(
            code = problem.code,
            object = %problem.object,
            field = problem.field,
            remedy = problem.remedy,
            "{}",
            problem.message
        ),
        // Reminders are for Events, which expire.
        Notice::Wrong { .. } => {}
        Notice::Live(live) => tracing::info!(object = %live.ingress, "{}", live.note),
        Notice::Resolved(problem) => tracing::info!(
            code = problem.code,
            object = %problem.object,
            field = problem.field,
            "resolved"
        ),
    }
}

const PACE: Duration = Duration::from_millis(100);
const POST: Duration = Duration::from_secs(10);
