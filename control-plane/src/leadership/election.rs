//! Decides when to take the Lease, when it is held, and who else holds it: no I/O, and no clock.
//!
//! No two clocks are compared, as client-go has it: a Lease of another replica has run out when it was not seen to change
//! for as long as it lasts, by the clock of whoever looks; and one's own counts from before the request that renewed it.

use std::time::Duration;

use tokio::time::Instant;

use crate::leadership::{Candidate, Leader, Leadership};

/// What is known of the Lease.
#[derive(Debug)]
pub(super) struct Election {
    me: Candidate,
    seen: Option<Seen>,
    /// Since when it is held: the beginning of the last renewal.
    held: Option<Instant>,
}

/// What a Lease says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Record {
    /// It changes with each write.
    pub(super) version: String,
    /// Empty if it was given up.
    pub(super) holder: String,
    pub(super) address: Option<String>,
    pub(super) lasts: Duration,
}

/// A Lease to be written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Claim {
    pub(super) holder: String,
    pub(super) address: Option<String>,
    pub(super) lasts: Duration,
    /// Whether somebody else, or nobody, held it before.
    pub(super) taken: bool,
}

#[derive(Debug)]
struct Seen {
    record: Record,
    /// When it was first seen so.
    at: Instant,
}

impl Election {
    pub(super) const fn new(me: Candidate) -> Self {
        Self {
            me,
            seen: None,
            held: None,
        }
    }

    pub(super) fn identity(&self) -> &str {
        &self.me.identity
    }

    /// Takes in the Lease as it is, and returns what to write, if anything.
    pub(super) fn look(
        &mut self,
        record: Option<Record>,
        now: Instant,
        may_lead: bool,
    ) -> Option<Claim> {
        self.seen = record.map(|record| match self.seen.take() {
            Some(seen) if seen.record == record => seen,
            _ => Seen { record, at: now },
        });
        let taken = match &self.seen {
            Some(seen) if seen.record.holder == self.me.identity => false,
            Some(seen) if !seen.record.holder.is_empty() => {
                self.held = None;
                if now < seen.at + seen.record.lasts {
                    return None;
                }
                true
            }
            _ => true,
        };
        // One that is held is renewed whatever happens: nobody else need lead because of a moment's weakness.
        (may_lead || self.held.is_some()).then(|| Claim {
            holder: self.me.identity.clone(),
            address: self.me.address.clone(),
            lasts: LASTS,
            taken,
        })
    }

    /// Takes in whether what [`Self::look`] returned at `began` was written; if not, another was faster.
    pub(super) fn claimed(&mut self, written: bool, began: Instant) {
        if written {
            self.held = Some(began);
        }
    }

    /// Returns whether it is held, or was last.
    pub(super) const fn holds(&self) -> bool {
        self.held.is_some()
    }

    /// Returns when the Lease runs out if it is not renewed.
    pub(super) fn lapse(&self) -> Option<Instant> {
        self.held.map(|since| since + LASTS)
    }

    /// Returns how long to wait after a look that went well.
    pub(super) const fn pace(&self) -> Duration {
        if self.holds() { RENEW } else { LOOK }
    }

    pub(super) fn leadership(&self, now: Instant) -> Leadership {
        match (self.lapse(), &self.seen) {
            (Some(lapse), _) if now < lapse => Leadership::Leading,
            (Some(_), _) => Leadership::Lapsed,
            (None, Some(seen)) if seen.record.holder == self.me.identity => Leadership::Unknown,
            (None, Some(seen)) if !seen.record.holder.is_empty() => Leadership::Following(Leader {
                holder: seen.record.holder.clone(),
                address: seen.record.address.clone(),
            }),
            (None, _) => Leadership::Unknown,
        }
    }
}

const LASTS: Duration = Duration::from_secs(15);
const RENEW: Duration = Duration::from_secs(5);
/// A Lease that was given up is to be taken at once.
const LOOK: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    fn election() -> Election {
        Election::new(Candidate {
            identity: "b".to_owned(),
            address: Some("10.0.0.2:8443".to_owned()),
        })
    }

    fn record(version: &str, holder: &str) -> Option<Record> {
        Some(Record {
            version: version.to_owned(),
            holder: holder.to_owned(),
            address: Some("10.0.0.1:8443".to_owned()),
            lasts: LASTS,
        })
    }

    fn follows(election: &Election, now: Instant) -> bool {
        matches!(election.leadership(now), Leadership::Following(leader)
            if leader.holder == "a" && leader.address.as_deref() == Some("10.0.0.1:8443"))
    }

    #[test]
    fn a_lease_that_nobody_holds_is_taken() {
        let now = Instant::now();
        for free in [None, record("1", "")] {
            let mut election = election();
            assert_eq!(election.leadership(now), Leadership::Unknown);
            let claim = election.look(free, now, true);
            assert!(claim.is_some_and(|claim| claim.taken && claim.holder == "b"));
            assert_eq!(election.leadership(now), Leadership::Unknown, "not written");
            election.claimed(true, now);
            assert_eq!(election.leadership(now), Leadership::Leading);
        }
    }

    #[test]
    fn whoever_is_slower_does_not_lead() {
        let now = Instant::now();
        let mut election = election();
        assert!(election.look(None, now, true).is_some());
        election.claimed(false, now);
        assert_eq!(election.leadership(now), Leadership::Unknown);
        assert_eq!(election.look(record("1", "a"), now, true), None);
        assert!(follows(&election, now));
    }

    #[test]
    fn a_lease_of_another_runs_out_by_the_clock_of_whoever_looks() {
        let start = Instant::now();
        let mut election = election();
        let second = Duration::from_secs(1);
        assert_eq!(election.look(record("1", "a"), start, true), None);
        assert_eq!(
            election.look(record("1", "a"), start + 14 * second, true),
            None
        );
        // It was renewed: it counts anew, whatever time it says.
        assert_eq!(
            election.look(record("2", "a"), start + 14 * second, true),
            None
        );
        assert_eq!(
            election.look(record("2", "a"), start + 28 * second, true),
            None
        );
        assert!(follows(&election, start + 28 * second));
        let claim = election.look(record("2", "a"), start + 29 * second, true);
        assert!(claim.is_some_and(|claim| claim.taken));
    }

    #[test]
    fn an_own_lease_counts_from_before_its_renewal_and_is_not_forgotten_when_it_lapses() {
        let start = Instant::now();
        let mut election = election();
        let _ = election.look(None, start, true);
        election.claimed(true, start);
        assert_eq!(election.lapse(), Some(start + LASTS));
        assert_eq!(
            election.leadership(start + LASTS - RENEW),
            Leadership::Leading
        );
        assert_eq!(election.leadership(start + LASTS), Leadership::Lapsed);
        // The API server is back, and nobody has taken it.
        let claim = election.look(record("1", "b"), start + 2 * LASTS, true);
        assert!(claim.is_some_and(|claim| !claim.taken));
        election.claimed(true, start + 2 * LASTS);
        assert_eq!(election.leadership(start + 2 * LASTS), Leadership::Leading);
        // And now another has.
        assert_eq!(
            election.look(record("2", "a"), start + 4 * LASTS, true),
            None
        );
        assert!(follows(&election, start + 4 * LASTS));
        assert_eq!(election.lapse(), None);
    }

    #[test]
    fn who_has_nothing_to_serve_does_not_stand_but_sees_who_leads() {
        let now = Instant::now();
        let mut election = election();
        assert_eq!(election.look(None, now, false), None);
        assert_eq!(election.look(record("1", "a"), now, false), None);
        assert!(follows(&election, now));
        assert_eq!(election.look(record("1", "a"), now + LASTS, false), None);
        // A process before this one held it under the same name.
        assert_eq!(election.look(record("2", "b"), now + LASTS, false), None);
        assert_eq!(election.leadership(now + LASTS), Leadership::Unknown);
        let claim = election.look(record("2", "b"), now + LASTS, true);
        assert!(claim.is_some_and(|claim| !claim.taken));
    }
}
