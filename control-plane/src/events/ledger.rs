//! Decides what is told about problems and about what is live, and when: the memory between "this is wrong now" and "say
//! so once".
//!
//! It does not post anything and has no clock: the caller brings the time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sluice_proto::{ObjectReference, Problem};
use tokio::time::Instant;

use crate::events::live::Live;

/// What was told, and what is due.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    entries: BTreeMap<Problem, Entry>,
    /// The latest of each Ingress, and when it is due.
    lives: BTreeMap<ObjectReference, (Live, Instant)>,
}

/// Something to tell.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Notice {
    /// This is wrong. `count` is 1 at first and counts the reminders.
    Wrong {
        /// What.
        problem: Problem,
        /// How often it was told, this time included.
        count: i32,
    },
    /// This was told to be wrong and is not any more.
    Resolved(Problem),
    /// The last change of an Ingress is on all nodes.
    Live(Live),
}

#[derive(Debug)]
struct Entry {
    due: Instant,
    /// How often it was told.
    told: i32,
    gone: bool,
}

impl Ledger {
    /// Takes in what is wrong now: all of it.
    pub(crate) fn update(&mut self, problems: &BTreeSet<Problem>, now: Instant) {
        for problem in problems {
            match self.entries.get_mut(problem) {
                None => {
                    let entry = Entry {
                        due: now + SETTLE,
                        told: 0,
                        gone: false,
                    };
                    self.entries.insert(problem.clone(), entry);
                }
                // It was away for less than a moment, or its end was not told yet: it never went.
                Some(entry) if entry.gone => {
                    entry.gone = false;
                    entry.due = now + REMIND;
                }
                Some(_) => {}
            }
        }
        self.entries.retain(|problem, entry| {
            if problems.contains(problem) {
                return true;
            }
            if !entry.gone {
                entry.gone = true;
                entry.due = now + SETTLE;
            }
            entry.told > 0
        });
    }

    /// Takes in that an Ingress is live. Several changes of one in a row are told as one.
    pub(crate) fn became_live(&mut self, live: Live, now: Instant) {
        if let Some((last, _)) = self.lives.get_mut(&live.ingress) {
            *last = live;
        } else if self.lives.len() < MOST_LIVE {
            let ingress = live.ingress.clone();
            self.lives.insert(ingress, (live, now + SETTLE));
        }
    }

    /// Returns when something is due next.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        let problems = self.entries.values().map(|entry| entry.due);
        problems
            .chain(self.lives.values().map(|(_, due)| *due))
            .min()
    }

    /// Returns what is due: of what is wrong what has been due longest, then of what is live. It stays due until
    /// [`Self::told`] or [`Self::failed`].
    pub(crate) fn due(&self, now: Instant) -> Option<Notice> {
        let wrong = self.entries.iter().min_by_key(|(_, entry)| entry.due);
        if let Some((problem, entry)) = wrong.filter(|(_, entry)| entry.due <= now) {
            return Some(if entry.gone {
                Notice::Resolved(problem.clone())
            } else {
                Notice::Wrong {
                    problem: problem.clone(),
                    count: entry.told.saturating_add(1),
                }
            });
        }
        let live = self.lives.values().min_by_key(|(_, due)| *due);
        live.filter(|(_, due)| *due <= now)
            .map(|(live, _)| Notice::Live(live.clone()))
    }

    /// Notes that this was told.
    pub(crate) fn told(&mut self, notice: &Notice, now: Instant) {
        match notice {
            Notice::Resolved(problem) => {
                self.entries.remove(problem);
            }
            Notice::Live(live) => {
                self.lives.remove(&live.ingress);
            }
            Notice::Wrong { problem, count } => {
                if let Some(entry) = self.entries.get_mut(problem) {
                    entry.told = *count;
                    entry.due = now + REMIND;
                }
            }
        }
    }

    /// Notes that this could not be told: it is due again later, and others are not kept waiting.
    pub(crate) fn failed(&mut self, notice: &Notice, now: Instant) {
        match notice {
            Notice::Wrong { problem, .. } | Notice::Resolved(problem) => {
                if let Some(entry) = self.entries.get_mut(problem) {
                    entry.due = now + RETRY;
                }
            }
            Notice::Live(live) => {
                if let Some((_, due)) = self.lives.get_mut(&live.ingress) {
                    *due = now + RETRY;
                }
            }
        }
    }
}

/// What is over by then was the moment between two objects of one `kubectl apply`.
const SETTLE: Duration = Duration::from_secs(1);
/// An API server keeps Events for an hour: what is still wrong is still to be found.
const REMIND: Duration = Duration::from_secs(30 * 60);
/// A storm of changes is worth no more words: at ten a second, later ones would be no news.
const MOST_LIVE: usize = 100;
const RETRY: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use sluice_proto::ObjectReference;

    use super::*;

    fn problem(name: &str) -> Problem {
        Problem {
            object: ObjectReference {
                kind: "Ingress".to_owned(),
                namespace: "shop".to_owned(),
                name: name.to_owned(),
            },
            field: "spec".to_owned(),
            code: "ServiceMissing".to_owned(),
            message: "m".to_owned(),
            remedy: "r".to_owned(),
        }
    }

    fn wrong(name: &str, count: i32) -> Option<Notice> {
        Some(Notice::Wrong {
            problem: problem(name),
            count,
        })
    }

    #[test]
    fn a_problem_is_told_once_and_again_much_later() {
        let start = Instant::now();
        let set = BTreeSet::from([problem("a")]);
        let mut ledger = Ledger::default();
        ledger.update(&set, start);
        assert_eq!(ledger.due(start), None, "not before it has settled");
        let now = ledger.next_due().unwrap();
        let notice = ledger.due(now).unwrap();
        assert_eq!(Some(&notice), wrong("a", 1).as_ref());
        ledger.told(&notice, now);
        for _ in 0..100 {
            ledger.update(&set, now);
        }
        assert_eq!(ledger.due(now + REMIND - SETTLE), None);
        assert_eq!(ledger.due(now + REMIND), wrong("a", 2));
    }

    #[test]
    fn what_is_over_in_a_moment_is_never_told() {
        let now = Instant::now();
        let mut ledger = Ledger::default();
        ledger.update(&BTreeSet::from([problem("a")]), now);
        ledger.update(&BTreeSet::new(), now);
        assert_eq!(ledger.next_due(), None);
    }

    #[test]
    fn the_end_of_what_was_told_is_told() {
        let now = Instant::now();
        let set = BTreeSet::from([problem("a")]);
        let mut ledger = Ledger::default();
        ledger.update(&set, now);
        ledger.told(&wrong("a", 1).unwrap(), now);
        ledger.update(&BTreeSet::new(), now);
        ledger.update(&set, now);
        assert_eq!(ledger.due(now + SETTLE), None, "it flickered");
        ledger.update(&BTreeSet::new(), now);
        ledger.update(&BTreeSet::new(), now + SETTLE);
        let notice = ledger.due(now + SETTLE).unwrap();
        assert_eq!(notice, Notice::Resolved(problem("a")));
        ledger.told(&notice, now + SETTLE);
        assert_eq!(ledger.next_due(), None);
    }

    #[test]
    fn a_burst_of_changes_of_an_ingress_is_told_as_one() {
        let start = Instant::now();
        let live = |name: &str, note: &str| Live {
            ingress: problem(name).object,
            note: note.to_owned(),
        };
        let mut ledger = Ledger::default();
        for note in ["after 1 ms", "after 2 ms", "after 3 ms"] {
            ledger.became_live(live("a", note), start);
        }
        assert_eq!(ledger.due(start), None, "more may come");
        let now = ledger.next_due().unwrap();
        let notice = ledger.due(now).unwrap();
        assert_eq!(notice, Notice::Live(live("a", "after 3 ms")));
        ledger.told(&notice, now);
        assert_eq!(ledger.next_due(), None);
        for number in 0..5000 {
            ledger.became_live(live(&number.to_string(), "after 1 ms"), now);
        }
        assert_eq!(ledger.lives.len(), MOST_LIVE);
    }

    #[test]
    fn what_is_wrong_does_not_wait_for_what_is_live() {
        let start = Instant::now();
        let mut ledger = Ledger::default();
        for number in 0..50 {
            let ingress = problem(&number.to_string()).object;
            let note = "after 1 ms".to_owned();
            ledger.became_live(Live { ingress, note }, start);
        }
        let later = start + SETTLE;
        ledger.update(&BTreeSet::from([problem("a")]), later);
        let later = later + SETTLE;
        assert_eq!(ledger.due(later), wrong("a", 1));
        ledger.told(&wrong("a", 1).unwrap(), later);
        assert!(matches!(ledger.due(later), Some(Notice::Live(_))));
    }

    #[test]
    fn a_failure_keeps_nobody_waiting() {
        let now = Instant::now();
        let mut ledger = Ledger::default();
        ledger.update(&BTreeSet::from([problem("a")]), now);
        ledger.update(&BTreeSet::from([problem("a"), problem("b")]), now + SETTLE);
        let later = now + SETTLE + SETTLE;
        let first = ledger.due(later).unwrap();
        assert_eq!(Some(&first), wrong("a", 1).as_ref());
        ledger.failed(&first, later);
        assert_eq!(ledger.due(later), wrong("b", 1));
        ledger.told(&ledger.due(later).unwrap(), later);
        assert_eq!(ledger.due(later), None);
        assert_eq!(ledger.due(later + RETRY), wrong("a", 1));
    }
}
