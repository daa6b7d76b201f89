//! Which replica of the control plane leads: the one that holds the Lease.
//!
//! All replicas translate, and any can serve; one leads, so that one sees all nodes, writes the status of Ingresses and
//! posts Events. `election.rs` decides without any I/O, `lease.rs` reads and writes the Lease. To lose the Lease, or the
//! API server, ends nothing: who led last goes on serving.

mod election;
mod lease;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::leadership::election::Election;
pub use crate::leadership::lease::LeaseError;
use crate::leadership::lease::LeaseFile;
use crate::metrics::Metrics;
use crate::publication::Publications;

/// Whether this replica leads, as far as it knows.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Leadership {
    /// There are no other replicas: it leads.
    Alone,
    /// It holds the Lease.
    Leading,
    /// It held the Lease last and could not renew it in time: another may lead, or the API server is away.
    Lapsed,
    /// Another replica holds the Lease.
    Following(Leader),
    /// It has not seen who holds the Lease.
    Unknown,
}

/// Another replica, which leads.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Leader {
    /// Its name.
    pub holder: String,
    /// Where its stream is, "ip:port"; `None` if it does not say.
    pub address: Option<String>,
}

/// How this replica stands for election.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Its name, which no other replica has.
    pub identity: String,
    /// Where its stream is, "ip:port", if it knows.
    pub address: Option<String>,
}

impl Leadership {
    /// Returns whether what only the leader does is this replica's to do.
    #[must_use]
    pub const fn leads(&self) -> bool {
        matches!(self, Self::Alone | Self::Leading)
    }
}

impl fmt::Display for Leadership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Alone | Self::Leading => f.write_str("this replica leads"),
            Self::Lapsed => f.write_str(
                "this replica led last and could not renew its Lease; it goes on serving until it learns who leads",
            ),
            Self::Following(leader) => write!(f, "{} leads", leader.holder),
            Self::Unknown => f.write_str("nobody is known to lead"),
        }
    }
}

/// Does this work while this replica leads, from the beginning each time, and drops it when it stops leading. Returns
/// when the work ends by itself.
pub async fn while_leading<W: Future<Output = ()>>(
    mut leadership: watch::Receiver<Leadership>,
    mut work: impl FnMut() -> W,
) {
    loop {
        until(&mut leadership, Leadership::leads).await;
        tokio::select! {
            () = work() => return,
            () = until(&mut leadership, |now| !now.leads()) => {}
        }
    }
}

async fn until(
    leadership: &mut watch::Receiver<Leadership>,
    is_so: impl FnMut(&Leadership) -> bool,
) {
    // Without a sender it stays as it is.
    if leadership.wait_for(is_so).await.is_err() {
        std::future::pending().await
    }
}

/// The work of standing for election.
pub struct Standing {
    lease: LeaseFile,
    election: Election,
    /// Who has published nothing cannot serve, and does not lead.
    publications: Publications,
    leadership: watch::Sender<Leadership>,
    metrics: Arc<Metrics>,
    last_failure: Option<String>,
    /// A write of the Lease was begun, and may have come to pass.
    is_claiming: bool,
}

impl Standing {
    /// Returns the work, and where to read how it goes. The Lease is in this namespace.
    #[must_use]
    pub fn new(
        client: kube::Client,
        namespace: &str,
        candidate: Candidate,
        publications: Publications,
        metrics: Arc<Metrics>,
    ) -> (Self, watch::Receiver<Leadership>) {
        let (leadership, receiver) = watch::channel(Leadership::Unknown);
        let standing = Self {
            lease: LeaseFile::new(client, namespace),
            election: Election::new(candidate),
            publications,
            leadership,
            metrics,
            last_failure: None,
            is_claiming: false,
        };
        (standing, receiver)
    }

    /// Stands for election until `shutdown`, and then gives up the Lease if it is held.
    ///
    /// # Errors
    ///
    /// If the Lease is held and cannot be given up: another replica waits until it has run out.
    pub async fn run(mut self, shutdown: CancellationToken) -> Result<(), LeaseError> {
        loop {
            let ended = shutdown.run_until_cancelled(self.turn()).await;
            if ended.is_none() {
                break;
            }
        }
        if self.election.holds() || self.is_claiming {
            tracing::info!("gives up the Lease");
            self.lease.release(self.election.identity()).await?;
        }
        Ok(())
    }

    /// Looks at the Lease once, takes or renews it if that is due, and waits for the next time.
    async fn turn(&mut self) {
        let began = Instant::now();
        let may_lead = self.publications.borrow().is_some();
        let went = timeout(PATIENCE, self.look(began, may_lead)).await;
        let next = match went.unwrap_or(Err(LeaseError::Late)) {
            Ok(()) => {
                if self.last_failure.take().is_some() {
                    tracing::info!("the Lease can be read and written again");
                }
                began + self.election.pace()
            }
            Err(error) => {
                self.failed(&error);
                began + RETRY
            }
        };
        self.tell();
        // Between two looks a Lease that was not renewed may run out.
        if let Some(lapse) = self.election.lapse().filter(|lapse| *lapse < next) {
            sleep_until(lapse).await;
            self.tell();
        }
        sleep_until(next).await;
    }

    async fn look(&mut self, began: Instant, may_lead: bool) -> Result<(), LeaseError> {
        let found = self.lease.read().await?;
        let record = found.as_ref().map(lease::record);
        if let Some(claim) = self.election.look(record, began, may_lead) {
            self.is_claiming = true;
            let claimed = self.lease.write(found, &claim).await?;
            self.is_claiming = false;
            self.election.claimed(claimed, began);
        }
        Ok(())
    }

    fn failed(&mut self, error: &LeaseError) {
        let text = error.line();
        if self.last_failure.as_ref() != Some(&text) {
            tracing::warn!(error = text, "the Lease {} cannot be used", self.lease);
            self.last_failure = Some(text);
        }
    }

    fn tell(&self) {
        let now = self.election.leadership(Instant::now());
        self.metrics.leads(now.leads());
        self.leadership.send_if_modified(|last| {
            if *last == now {
                return false;
            }
            match now {
                Leadership::Lapsed => tracing::warn!("{now}"),
                _ => tracing::info!("{now}"),
            }
            *last = now;
            true
        });
    }
}

/// The name of the Lease.
pub const LEASE: &str = "sluice-control-plane";
/// How long one look may take: shorter than a Lease is valid after it was due.
const PATIENCE: Duration = Duration::from_secs(4);
const RETRY: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use tokio::sync::{mpsc, oneshot};

    use super::*;

    #[tokio::test]
    async fn the_leaders_work_begins_anew_each_time_it_leads() {
        let (leadership, receiver) = watch::channel(Leadership::Unknown);
        let (began, mut begins) = mpsc::channel(8);
        let work = while_leading(receiver, move || {
            let (lives, ends) = oneshot::channel::<()>();
            began.try_send(ends).unwrap();
            async move {
                let _lives = lives;
                std::future::pending().await
            }
        });
        let script = async {
            for _ in 0..3 {
                leadership.send_replace(Leadership::Leading);
                let ends = begins.recv().await.unwrap();
                leadership.send_replace(Leadership::Lapsed);
                // An error says that the work was dropped.
                ends.await.unwrap_err();
            }
        };
        tokio::select! {
            () = work => unreachable!("the work never ends"),
            () = script => {}
        }
    }

    #[tokio::test]
    async fn whoever_is_alone_leads_for_ever() {
        let (sender, receiver) = watch::channel(Leadership::Alone);
        drop(sender);
        while_leading(receiver, || std::future::ready(())).await;
    }
}
