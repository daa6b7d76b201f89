//! Decides which status is written next: no I/O, and no clock.
//!
//! A status that says what it should is not written, nor is that of an Ingress of others. There are so many writes a
//! second and no more; one that failed is tried again later, and keeps no other waiting.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sluice_translate::StatusAddress;
use tokio::time::Instant;

use crate::metrics::StatusOutcome;
use crate::status::board::{Board, IngressFacts, Name, Ownership};

/// What was written, and what is left of the pace.
#[derive(Debug)]
pub(super) struct Writes {
    waiting: BTreeMap<Name, Waiting>,
    /// Until when nothing is written, because nothing would be taken.
    paused: Instant,
    tokens: f64,
    counted: Instant,
}

/// A status to be written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Write {
    pub(super) name: Name,
    /// Of the object that it is decided by: any later one is another matter.
    pub(super) version: String,
    /// Empty to take away what stands there.
    pub(super) addresses: BTreeSet<StatusAddress>,
}

/// What to do next.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Next {
    Write(Write),
    /// Nothing until then; without a time, until something changes.
    Wait(Option<Instant>),
}

/// An Ingress that is not written until it is seen to have changed, or until then.
#[derive(Debug)]
struct Waiting {
    version: String,
    until: Instant,
}

impl Writes {
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            waiting: BTreeMap::new(),
            paused: now,
            tokens: BURST,
            counted: now,
        }
    }

    /// Returns what to do next, if the status of our Ingresses should have these addresses; `None` if that is not known.
    pub(super) fn next(
        &mut self,
        board: &Board,
        addresses: Option<&BTreeSet<StatusAddress>>,
        now: Instant,
    ) -> Next {
        self.waiting.retain(|name, waiting| {
            let facts = board.ingresses().get(name);
            waiting.until > now && facts.is_some_and(|facts| facts.version == waiting.version)
        });
        let Some(addresses) = addresses else {
            return Next::Wait(None);
        };
        let mut wrong = board.ingresses().iter().filter_map(|(name, facts)| {
            let should = should(facts, addresses)?;
            (!self.waiting.contains_key(name)).then_some((name, facts, should))
        });
        let Some((name, facts, addresses)) = wrong.next() else {
            return Next::Wait(self.waiting.values().map(|waiting| waiting.until).min());
        };
        let write = Write {
            name: name.clone(),
            version: facts.version.clone(),
            addresses,
        };
        if now < self.paused {
            return Next::Wait(Some(self.paused));
        }
        let passed = now.saturating_duration_since(self.counted).as_secs_f64();
        self.tokens = BURST.min(passed.mul_add(A_SECOND, self.tokens));
        self.counted = now;
        if self.tokens < 1.0 {
            let missing = (1.0 - self.tokens) / A_SECOND;
            return Next::Wait(Some(now + Duration::from_secs_f64(missing) + GRAIN));
        }
        self.tokens -= 1.0;
        Next::Write(write)
    }

    /// Takes in what became of a write.
    pub(super) fn written(&mut self, write: Write, outcome: StatusOutcome, now: Instant) {
        let wait = match outcome {
            // Its own change comes by the watch.
            StatusOutcome::Written | StatusOutcome::Cleared | StatusOutcome::Gone => LONG,
            StatusOutcome::Conflict => CONFLICT,
            StatusOutcome::Forbidden => {
                self.paused = now + LONG;
                LONG
            }
            StatusOutcome::Failed => {
                self.paused = now + FAILED;
                // Another one is tried first: it may be this one that cannot be written.
                LONG
            }
        };
        let waiting = Waiting {
            version: write.version,
            until: now + wait,
        };
        self.waiting.insert(write.name, waiting);
    }
}

/// Returns what the status of an Ingress should be, if it is not and is ours to write.
fn should(
    facts: &IngressFacts,
    addresses: &BTreeSet<StatusAddress>,
) -> Option<BTreeSet<StatusAddress>> {
    match facts.ownership {
        Ownership::Ours => (facts.addresses != *addresses).then(|| addresses.clone()),
        // Another controller may have begun to write there: only what would be ours is taken away.
        Ownership::Left => {
            (!facts.addresses.is_empty() && facts.addresses == *addresses).then(BTreeSet::new)
        }
        Ownership::Others => None,
    }
}

const A_SECOND: f64 = 20.0;
const BURST: f64 = 50.0;
/// Timers are not exact: a write that is due must be.
const GRAIN: Duration = Duration::from_millis(1);
const CONFLICT: Duration = Duration::from_secs(1);
const FAILED: Duration = Duration::from_secs(1);
const LONG: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests;
