//! The reconcile loop: owns the objects, and translates and publishes them whenever something that matters changed.
//!
//! It does not know where objects come from (`source.rs`) nor who takes snapshots (`publication.rs`). It is idle until
//! something comes, acts at once, and takes whatever came meanwhile together: a storm of changes costs as many
//! translations as there is time for, and none is lost.

pub mod arrivals;
mod lookups;

use std::convert::Infallible;
use std::sync::Arc;

use sluice_proto::{CertificateMaterial, Problem};
use sluice_translate::{Change, Objects, Options, Translation, retranslate, translate};
use tokio::sync::{broadcast, watch};
use tokio::time::{Instant, sleep_until};

use crate::identity::Identity;
use crate::metrics::Metrics;
use crate::publication::{Publications, Publisher};
use crate::reconcile::arrivals::{Arrivals, Arrived};
use crate::reconcile::lookups::Lookups;
use crate::settings::CurrentSettings;
use crate::source::{Batch, SecretAccess, Source};
use crate::status::board::{Board, Fact};

/// The loop, and all that it holds.
#[derive(Debug)]
pub struct Reconcile {
    source: Source,
    settings: watch::Receiver<CurrentSettings>,
    publisher: Publisher,
    published: Publications,
    default_certificate: watch::Receiver<CertificateMaterial>,
    metrics: Arc<Metrics>,
    objects: Objects,
    options: Arc<Options>,
    lookups: Lookups,
    source_problems: Vec<Problem>,
    settings_problem: Option<Problem>,
    dirty: Change,
    synced: bool,
    board: watch::Sender<Board>,
    arrivals: Arrivals,
    arrived: broadcast::Sender<Arc<Arrived>>,
}

/// Why the loop ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReconcileError {
    /// The source sends nothing any more.
    #[error("the source ended")]
    SourceEnded,
    /// Nobody watches the settings file any more.
    #[error("the watch on the settings ended")]
    SettingsEnded,
    /// The program's own fault.
    #[error("a translation ended without a result")]
    Translation(#[source] tokio::task::JoinError),
}

impl Reconcile {
    /// Returns the loop, with nothing published yet.
    #[must_use]
    pub fn new(
        source: Source,
        mut settings: watch::Receiver<CurrentSettings>,
        identity: &Identity,
        publisher: Publisher,
        metrics: Arc<Metrics>,
    ) -> Self {
        let current = settings.borrow_and_update().clone();
        let mut objects = Objects::default();
        let dirty = objects.follow_settings(&current.settings);
        let mut board = Board::default();
        board.follow_settings(&objects);
        let mut default_certificate = identity.follow_default_certificate();
        let options = Arc::new(Options {
            settings: (*current.settings).clone(),
            default_certificate: default_certificate.borrow_and_update().clone(),
        });
        Self {
            source,
            settings,
            published: publisher.subscribe(),
            publisher,
            default_certificate,
            metrics,
            objects,
            options,
            lookups: Lookups::default(),
            source_problems: Vec::new(),
            settings_problem: current.problem,
            dirty: dirty.max(Change::Everything),
            synced: false,
            board: watch::Sender::new(board),
            arrivals: Arrivals::default(),
            arrived: broadcast::Sender::new(ARRIVED),
        }
    }

    /// Returns what there is to know for the status of Ingresses, now and as it changes.
    #[must_use]
    pub fn board(&self) -> watch::Receiver<Board> {
        self.board.subscribe()
    }

    /// Returns where to learn of changes of routes that were published, and when they had arrived.
    #[must_use]
    pub fn arrived(&self) -> broadcast::Sender<Arc<Arrived>> {
        self.arrived.clone()
    }

    /// Runs until something that it needs ends.
    ///
    /// # Errors
    ///
    /// Says what ended.
    pub async fn run(mut self) -> Result<Infallible, ReconcileError> {
        loop {
            self.wait().await?;
            while let Ok(batch) = self.source.batches.try_recv() {
                self.take_in(batch);
            }
            self.look_up_secrets();
            if self.may_translate() {
                self.reconcile().await?;
            }
        }
    }

    /// Waits until something comes, or until patience with the source ends.
    async fn wait(&mut self) -> Result<(), ReconcileError> {
        // The first snapshot waits for every answer: there is nothing yet that it could hold up.
        let patience = self
            .lookups
            .patience()
            .filter(|_| self.published.borrow().is_some());
        let out_of_patience = async {
            match patience {
                Some(until) => sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            batch = self.source.batches.recv() => {
                let batch = batch.ok_or(ReconcileError::SourceEnded)?;
                self.take_in(batch);
            }
            changed = self.settings.changed() => {
                changed.map_err(|_| ReconcileError::SettingsEnded)?;
                self.take_in_settings();
            }
            // Once nobody keeps the identity current, the certificate stays as it is.
            Ok(()) = self.default_certificate.changed() => self.take_in_settings(),
            () = out_of_patience => {
                tracing::warn!("some Secrets could not be looked up in time; going on without them");
                self.lookups.give_up();
            }
        }
        Ok(())
    }

    fn take_in(&mut self, batch: Batch) {
        self.metrics
            .source_changed(batch.applied.len(), batch.removed.len());
        let facts = batch.applied.iter().filter_map(Fact::of).collect();
        let now = Instant::now();
        for reference in &batch.removed {
            let change = self.objects.remove(reference);
            self.arrivals.came(reference, change, now);
            self.dirty = self.dirty.max(change);
        }
        for object in batch.applied {
            let reference = object.reference();
            let change = self.objects.apply(object);
            self.arrivals.came(&reference, change, now);
            self.dirty = self.dirty.max(change);
        }
        let objects = &self.objects;
        self.board
            .send_if_modified(|board| board.take_in(facts, &batch.removed, objects));
        for access in batch.secrets {
            let change = match &access {
                SecretAccess::Known { namespace, .. } => self.objects.allow_secrets(namespace),
                SecretAccess::Denied { namespace } => self.objects.deny_secrets(namespace),
            };
            self.dirty = self.dirty.max(change);
            self.lookups.answer(access);
        }
        if let Some(problems) = batch.problems {
            self.source_problems = problems;
            self.dirty = Change::Everything;
        }
        self.synced |= batch.synced;
    }

    fn take_in_settings(&mut self) {
        let current = self.settings.borrow_and_update().clone();
        self.options = Arc::new(Options {
            settings: (*current.settings).clone(),
            default_certificate: self.default_certificate.borrow_and_update().clone(),
        });
        self.settings_problem = current.problem;
        let change = self.objects.follow_settings(&current.settings);
        self.dirty = change.max(Change::Everything);
        let objects = &self.objects;
        self.board
            .send_if_modified(|board| board.follow_settings(objects));
    }

    fn look_up_secrets(&mut self) {
        // Before everything is there, references only come.
        if !self.synced {
            return;
        }
        let Some(sender) = &self.source.secrets else {
            return;
        };
        let Some(wanted) = self.objects.take_referenced_secrets() else {
            return;
        };
        if self.lookups.want(wanted.clone(), Instant::now()) {
            sender.send_replace(wanted);
        }
    }

    fn may_translate(&self) -> bool {
        self.synced && self.dirty > Change::Nothing && !self.lookups.is_waiting()
    }

    async fn reconcile(&mut self) -> Result<(), ReconcileError> {
        let before = self.published.borrow().clone();
        let last = before.clone().filter(|_| self.dirty < Change::Everything);
        self.dirty = Change::Nothing;
        let started = Instant::now();
        // The objects move to the thread that translates and back: what comes meanwhile waits in the queue.
        let mut objects = std::mem::take(&mut self.objects);
        let options = Arc::clone(&self.options);
        let translated = tokio::task::spawn_blocking(move || {
            let changed = objects.take_changed();
            let translation = match last {
                Some(last) => retranslate(&objects, &last.translation, changed),
                None => translate(&objects, &options),
            };
            (objects, translation)
        });
        let (objects, translation) = translated.await.map_err(ReconcileError::Translation)?;
        self.objects = objects;
        self.metrics.reconciled(started.elapsed());
        self.publisher.publish(self.with_own_problems(translation));
        let after = self.published.borrow().clone();
        if let Some(after) = after
            && let Some(arrived) = self.arrivals.published(before.as_deref(), &after)
        {
            // Nobody listens while another replica leads.
            let _ = self.arrived.send(Arc::new(arrived));
        }
        Ok(())
    }

    /// Adds what is wrong with the source and the settings.
    fn with_own_problems(&self, mut translation: Translation) -> Translation {
        let own: Vec<_> = (self.source_problems.iter())
            .chain(&self.settings_problem)
            .collect();
        if !own.is_empty() {
            let mut all: Vec<_> = translation.problems.iter().chain(own).cloned().collect();
            all.sort_unstable();
            all.dedup();
            translation.problems = all.into();
        }
        translation
    }
}

/// Whoever falls further behind passes some over.
const ARRIVED: usize = 256;

#[cfg(test)]
mod tests;
