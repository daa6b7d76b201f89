//! Which Secrets are referred to, and whether the source has answered for each.
//!
//! It holds no Secret. An Ingress that arrives with a certificate must not be translated before its Secret was looked
//! up: for a moment it would answer 503 and be reported as broken.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

use crate::source::{SecretAccess, SecretNames};

/// What was asked for and what was answered.
#[derive(Debug, Default)]
pub(crate) struct Lookups {
    wanted: SecretNames,
    known: SecretNames,
    denied: BTreeSet<String>,
    waiting_since: Option<Instant>,
}

impl Lookups {
    /// Takes in what is referred to now: all of it. Returns whether that changed.
    pub(crate) fn want(&mut self, wanted: SecretNames, now: Instant) -> bool {
        if wanted == self.wanted {
            return false;
        }
        self.wanted = wanted;
        // The source forgets what is not wanted, and answers anew when it is wanted again.
        self.known.retain(|name| self.wanted.contains(name));
        let wanted = &self.wanted;
        self.denied
            .retain(|denied| wanted.iter().any(|(namespace, _)| namespace == denied));
        self.waiting_since = self.is_unanswered().then_some(now);
        true
    }

    /// Takes in an answer.
    pub(crate) fn answer(&mut self, access: SecretAccess) {
        match access {
            SecretAccess::Known { namespace, names } => {
                self.denied.remove(&namespace);
                let names = names.into_iter().map(|name| (namespace.clone(), name));
                self.known
                    .extend(names.filter(|name| self.wanted.contains(name)));
            }
            SecretAccess::Denied { namespace } => {
                self.denied.insert(namespace);
            }
        }
        if !self.is_unanswered() {
            self.waiting_since = None;
        }
    }

    /// Returns whether something was asked for, not answered yet, and is worth waiting for.
    pub(crate) fn is_waiting(&self) -> bool {
        self.waiting_since.is_some()
    }

    /// Stops waiting for what has not been answered, until something else is asked for.
    pub(crate) fn give_up(&mut self) {
        self.waiting_since = None;
    }

    fn is_unanswered(&self) -> bool {
        let answered =
            |name: &(String, String)| self.known.contains(name) || self.denied.contains(&name.0);
        !self.wanted.iter().all(answered)
    }

    /// Returns until when answers are worth waiting for: others' changes wait as well.
    pub(crate) fn patience(&self) -> Option<Instant> {
        self.waiting_since.map(|since| since + PATIENCE)
    }
}

/// An API server that does not answer for so long is in trouble, and no other host should wait for it.
const PATIENCE: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[(&str, &str)]) -> SecretNames {
        let owned = |(namespace, name): &(&str, &str)| ((*namespace).into(), (*name).into());
        names.iter().map(owned).collect()
    }

    fn known(namespace: &str, names: &[&str]) -> SecretAccess {
        SecretAccess::Known {
            namespace: namespace.to_owned(),
            names: names.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    #[test]
    fn waits_until_each_is_answered() {
        let now = Instant::now();
        let mut lookups = Lookups::default();
        assert!(!lookups.is_waiting(), "nothing was asked for");
        assert!(lookups.want(names(&[("a", "x"), ("b", "y")]), now));
        assert!(!lookups.want(names(&[("a", "x"), ("b", "y")]), now));
        assert_eq!(lookups.patience(), Some(now + PATIENCE));
        lookups.answer(known("a", &["x"]));
        assert!(lookups.is_waiting());
        lookups.answer(SecretAccess::Denied {
            namespace: "b".to_owned(),
        });
        assert!(!lookups.is_waiting());
        assert_eq!(lookups.patience(), None);
    }

    #[test]
    fn a_new_name_in_a_known_namespace_is_waited_for() {
        let now = Instant::now();
        let mut lookups = Lookups::default();
        lookups.want(names(&[("a", "x")]), now);
        lookups.answer(known("a", &["x"]));
        lookups.want(names(&[("a", "x"), ("a", "y")]), now);
        assert!(lookups.is_waiting());
        lookups.answer(known("a", &["x", "y"]));
        assert!(!lookups.is_waiting());
    }

    #[test]
    fn an_answer_is_good_only_while_it_is_wanted() {
        let now = Instant::now();
        let mut lookups = Lookups::default();
        lookups.want(names(&[("a", "x")]), now);
        lookups.answer(known("a", &["x"]));
        lookups.want(names(&[]), now);
        lookups.answer(known("a", &["x"]));
        lookups.want(names(&[("a", "x")]), now);
        assert!(lookups.is_waiting());
    }

    #[test]
    fn a_denied_namespace_that_is_allowed_is_asked_for_its_names() {
        let now = Instant::now();
        let mut lookups = Lookups::default();
        lookups.want(names(&[("a", "x")]), now);
        lookups.answer(SecretAccess::Denied {
            namespace: "a".to_owned(),
        });
        assert!(!lookups.is_waiting());
        lookups.answer(known("a", &["x"]));
        assert!(!lookups.is_waiting());
    }
}
