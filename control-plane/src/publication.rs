//! What data planes should hold now, under a number that people can follow.
//!
//! [`reconcile`](crate::reconcile) publishes, and the stream's sessions, introspection, metrics and Events read the
//! latest [`Publication`] from a watch channel: `None` until everything was read once. It does not know who holds what:
//! that is the [`Registry`](crate::stream::Registry)'s.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use sluice_proto::{Snapshot, Version};
use sluice_translate::Translation;
use tokio::sync::watch;

/// The latest publication; `None` until everything was read once.
pub type Publications = watch::Receiver<Option<Arc<Publication>>>;

/// A snapshot with its number.
#[derive(Debug)]
pub struct Publication {
    /// Its number, from 1. It grows with every change of the snapshot, and never goes backwards for a data plane.
    pub generation: u64,
    /// What the objects mean: the snapshot, the same typed, and the problems.
    pub translation: Arc<Translation>,
    // It costs a look at every resource, so it is made when somebody asks: when a data plane connects, say.
    digest: OnceLock<Version>,
}

impl Publication {
    /// Returns the publication of this translation under this number.
    #[must_use]
    pub const fn new(generation: u64, translation: Arc<Translation>) -> Self {
        Self {
            generation,
            translation,
            digest: OnceLock::new(),
        }
    }

    /// Returns the digest of the snapshot: the same on every replica.
    #[must_use]
    pub fn digest(&self) -> Version {
        *self.digest.get_or_init(|| self.snapshot().digest())
    }

    /// Returns what data planes should hold.
    #[must_use]
    pub fn snapshot(&self) -> &Snapshot {
        &self.translation.snapshot
    }
}

/// Publishes. Cloning is cheap: all clones publish to the same watch channel.
#[derive(Clone, Debug, Default)]
pub struct Publisher {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    latest: watch::Sender<Option<Arc<Publication>>>,
    // Held while the next publication is decided, so that no two get the same number.
    reported: Mutex<Option<Reported>>,
}

/// The highest generation that data planes have reported before the first publication.
#[derive(Clone, Copy, Debug)]
struct Reported {
    generation: u64,
    /// What they hold at it; `None` if they do not agree.
    digest: Option<Version>,
}

impl Publisher {
    /// Returns one that has published nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the latest publication, now and as it changes.
    #[must_use]
    pub fn subscribe(&self) -> Publications {
        self.shared.latest.subscribe()
    }

    /// Publishes what the objects mean. The same snapshot keeps its generation; its problems may be others.
    pub fn publish(&self, translation: Translation) {
        let reported = self.shared.lock();
        self.shared.latest.send_if_modified(|latest| {
            let (generation, is_news) = match latest {
                Some(last) if *last.snapshot() == translation.snapshot => {
                    let same = last.translation.problems == translation.problems;
                    (last.generation, !same)
                }
                Some(last) => (last.generation + 1, true),
                None => (first_generation(*reported, &translation.snapshot), true),
            };
            // Even if nobody need be told: the next translation of endpoints builds on this one.
            *latest = Some(Arc::new(Publication::new(
                generation,
                Arc::new(translation),
            )));
            is_news
        });
    }

    /// Takes in that a data plane, which got it from another process than this one, holds this content as this
    /// generation. If it is the published content, that adopts the number; else it goes on above it.
    pub fn raise(&self, generation: u64, digest: Version) {
        if generation == 0 {
            return;
        }
        let mut reported = self.shared.lock();
        self.shared.latest.send_if_modified(|latest| {
            let Some(last) = latest else {
                *reported = Some(highest(*reported, generation, digest));
                return false;
            };
            let raised = if last.digest() == digest {
                generation
            } else {
                generation + 1
            };
            if raised <= last.generation {
                return false;
            }
            *latest = Some(Arc::new(Publication::new(
                raised,
                Arc::clone(&last.translation),
            )));
            true
        });
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Option<Reported>> {
        self.reported.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            latest: watch::Sender::new(None),
            reported: Mutex::new(None),
        }
    }
}

fn first_generation(reported: Option<Reported>, snapshot: &Snapshot) -> u64 {
    match reported {
        None => 1,
        Some(reported) if reported.digest == Some(snapshot.digest()) => reported.generation,
        Some(reported) => reported.generation + 1,
    }
}

fn highest(reported: Option<Reported>, generation: u64, digest: Version) -> Reported {
    let new = Reported {
        generation,
        digest: Some(digest),
    };
    match reported {
        Some(old) if old.generation > generation => old,
        Some(old) if old.generation == generation && old.digest != Some(digest) => Reported {
            generation,
            digest: None,
        },
        _ => new,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use sluice_proto::{CertificateMaterial, ObjectReference, Problem};
    use sluice_translate::{EdgeSettings, Objects, Options, translate};

    use super::*;

    fn translation(port: u16) -> Translation {
        let mut settings = EdgeSettings::default();
        settings.listeners[0].port = port;
        let options = Options {
            settings,
            default_certificate: CertificateMaterial {
                chain: vec!["certificate".into()],
                private_key: "key".into(),
                names: Vec::new(),
                not_before_unix_s: 0,
                not_after_unix_s: 0,
            },
        };
        translate(&Objects::default(), &options)
    }

    fn digest(port: u16) -> Version {
        translation(port).snapshot.digest()
    }

    fn generation(publisher: &Publisher) -> u64 {
        publisher.subscribe().borrow().as_ref().unwrap().generation
    }

    #[test]
    fn a_generation_counts_changes_of_the_snapshot() {
        let publisher = Publisher::new();
        let mut publications = publisher.subscribe();
        assert!(publications.borrow_and_update().is_none());
        publisher.publish(translation(80));
        assert_eq!(generation(&publisher), 1);
        publisher.publish(translation(81));
        assert_eq!(generation(&publisher), 2);
        publications.mark_unchanged();
        publisher.publish(translation(81));
        assert!(!publications.has_changed().unwrap(), "nothing changed");
        assert_eq!(generation(&publisher), 2);
    }

    #[test]
    fn problems_change_without_a_generation() {
        let publisher = Publisher::new();
        publisher.publish(translation(80));
        let mut with_problem = translation(80);
        with_problem.problems = [Problem {
            object: ObjectReference {
                kind: "Ingress".to_owned(),
                namespace: "shop".to_owned(),
                name: "shop".to_owned(),
            },
            field: "spec".to_owned(),
            code: "ServiceMissing".to_owned(),
            message: "m".to_owned(),
            remedy: "r".to_owned(),
        }]
        .into();
        let mut publications = publisher.subscribe();
        publications.mark_unchanged();
        publisher.publish(with_problem);
        assert!(publications.has_changed().unwrap());
        let latest = publications.borrow_and_update().clone().unwrap();
        assert_eq!(latest.generation, 1);
        assert_eq!(latest.translation.problems.len(), 1);
    }

    #[test]
    fn the_number_of_the_same_content_is_adopted() {
        let before = Publisher::new();
        before.raise(7, digest(80));
        before.publish(translation(80));
        assert_eq!(generation(&before), 7);

        let after = Publisher::new();
        after.publish(translation(80));
        after.raise(7, digest(80));
        assert_eq!(generation(&after), 7);
    }

    #[test]
    fn other_content_goes_on_above_what_was_reported() {
        for reported in [1, 7] {
            let before = Publisher::new();
            before.raise(reported, digest(81));
            before.publish(translation(80));
            assert_eq!(generation(&before), reported + 1);

            let after = Publisher::new();
            after.publish(translation(80));
            after.raise(reported, digest(81));
            assert_eq!(generation(&after), reported + 1);
        }
    }

    #[test]
    fn the_highest_report_counts_and_a_doubtful_one_is_not_adopted() {
        let publisher = Publisher::new();
        publisher.raise(7, digest(80));
        publisher.raise(5, digest(81));
        publisher.publish(translation(80));
        assert_eq!(generation(&publisher), 7);

        let publisher = Publisher::new();
        publisher.raise(7, digest(80));
        publisher.raise(7, digest(81));
        publisher.publish(translation(80));
        assert_eq!(generation(&publisher), 8);
    }

    #[test]
    fn a_low_report_and_that_of_an_empty_data_plane_change_nothing() {
        let publisher = Publisher::new();
        publisher.raise(7, digest(80));
        publisher.publish(translation(80));
        publisher.raise(0, digest(82));
        publisher.raise(3, digest(81));
        publisher.raise(6, digest(80));
        assert_eq!(generation(&publisher), 7);
    }
}
