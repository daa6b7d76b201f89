//! Who has to do with what: pairs, found by their first half.

use std::cmp::Ordering;

use equivalent::{Comparable, Equivalent};
use imbl::OrdSet;

/// Pairs, sorted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Relation<A: Ord, B: Ord>(OrdSet<(A, B)>);

/// Stands before all pairs with this first half, and behind those with a lesser one.
struct Before<'a, A>(&'a A);

impl<A: Clone + Ord, B: Clone + Ord> Relation<A, B> {
    pub(super) fn insert(&mut self, first: A, second: B) {
        self.0.insert((first, second));
    }

    pub(super) fn remove(&mut self, first: A, second: B) {
        self.0.remove(&(first, second));
    }

    /// Returns what stands beside `first`, sorted.
    pub(super) fn of<'a>(&'a self, first: &'a A) -> impl Iterator<Item = &'a B> {
        let pairs = self.0.range(Before(first)..);
        pairs
            .take_while(move |(own, _)| own == first)
            .map(|(_, second)| second)
    }
}

impl<A: Ord, B: Ord> Default for Relation<A, B> {
    fn default() -> Self {
        Self(OrdSet::new())
    }
}

impl<A: Ord, B> Comparable<(A, B)> for Before<'_, A> {
    fn compare(&self, pair: &(A, B)) -> Ordering {
        self.0.cmp(&pair.0).then(Ordering::Less)
    }
}

// It stands between pairs, and is none.
impl<A, B> Equivalent<(A, B)> for Before<'_, A> {
    fn equivalent(&self, _: &(A, B)) -> bool {
        false
    }
}
