//! How one snapshot becomes another: `a.apply(b.changes_since(a)) == b`, over the wire in any number of chunks.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use sluice_proto::{Difference, Entry, Holdings, Kind, ResourceKey, Snapshot, wire};

use super::arbitrary::{bytes, key, snapshot};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn applying_the_difference_gives_the_target(held in snapshot(), target in snapshot()) {
        let difference = target.changes_since(&held);
        let mut applied = held;
        applied.apply(difference);
        prop_assert_eq!(applied, target);
    }

    #[test]
    fn the_difference_says_nothing_that_is_held(held in snapshot(), target in snapshot()) {
        let difference = target.changes_since(&held);
        for (key, entry) in &difference.upserted {
            prop_assert_ne!(held.entry(key), Some(entry));
        }
        for key in &difference.removed {
            prop_assert!(held.entry(key).is_some() && target.entry(key).is_none());
        }
        prop_assert!(target.changes_since(&target).is_empty());
    }

    #[test]
    fn chunks_carry_the_difference_whole(
        held in snapshot(),
        target in snapshot(),
        generation: u64,
        chunk_bytes in 0_usize..40,
    ) {
        let difference = target.changes_since(&held);
        let chunks = difference.clone().into_wire(generation, chunk_bytes);
        let (last, others) = chunks.split_last().unwrap();
        prop_assert!(!last.more && others.iter().all(|chunk| chunk.more));
        for chunk in &chunks {
            prop_assert_eq!(chunk.generation, generation);
            // One resource may come on top, however large.
            let bodies = chunk.upserted.iter().map(|resource| resource.body.len());
            let before_the_last: usize = bodies.rev().skip(1).sum();
            prop_assert!(before_the_last < chunk_bytes.max(1));
        }
        let mut arrived = Difference::default();
        for chunk in chunks {
            prop_assert_eq!(arrived.extend_from_wire(chunk), []);
        }
        prop_assert_eq!(arrived, difference);
    }

    #[test]
    fn what_is_held_and_its_list_have_one_digest(held in snapshot(), other in snapshot()) {
        prop_assert_eq!(held.holdings().digest(), held.digest());
        prop_assert_eq!(held.digest() == other.digest(), held == other);
        let listed = wire::Holdings::from(&held.holdings());
        prop_assert_eq!(Holdings::from(&listed), held.holdings());
    }

    #[test]
    fn another_version_or_name_is_another_digest(
        held in snapshot(),
        at in any::<prop::sample::Index>(),
        body in bytes(),
        name in "[ab/:]{1,2}",
    ) {
        prop_assume!(!held.is_empty());
        let (key, entry) = held.iter().nth(at.index(held.len())).unwrap();
        let mut changed = held.clone();
        changed.insert(key.clone(), Arc::new(Entry::new(body)));
        prop_assert_eq!(changed.digest() == held.digest(), changed == held);
        let mut renamed = held.clone();
        renamed.remove(key);
        renamed.insert(ResourceKey::new(key.kind, name), Arc::clone(entry));
        prop_assert_eq!(renamed.digest() == held.digest(), renamed == held);
    }

    /// Snapshots of which one came of the other share what did not change: nothing that did is passed over.
    #[test]
    fn what_is_shared_is_no_difference(
        held in large_snapshot(),
        changed in vec((0..LARGE, option::of(0..3_u8)), 0..6),
    ) {
        let mut target = held.clone();
        for (number, body) in changed {
            match body {
                Some(body) => drop(target.insert(numbered(number), numbered_entry(body))),
                None => drop(target.remove(&numbered(number))),
            }
        }
        let unshared: Snapshot =
            target.iter().map(|(key, entry)| (key.clone(), Arc::clone(entry))).collect();
        prop_assert_eq!(target.changes_since(&held), unshared.changes_since(&held));
        prop_assert_eq!(held.changes_since(&target), held.changes_since(&unshared));
        let mut applied = held.clone();
        applied.apply(target.changes_since(&held));
        prop_assert_eq!(applied, target);
    }

    #[test]
    fn the_order_of_insertion_does_not_matter(target in snapshot(), extra in key()) {
        let mut entries: Vec<_> =
            target.iter().map(|(key, entry)| (key.clone(), entry.clone())).collect();
        entries.reverse();
        let mut reversed: Snapshot = entries.into_iter().collect();
        prop_assert_eq!(&reversed, &target);
        let absent = target.entry(&extra).is_none();
        prop_assert_eq!(reversed.remove(&extra).is_none(), absent);
        prop_assert_eq!(reversed.digest() == target.digest(), absent);
    }
}

/// Returns a snapshot that is too large for one node of its tree.
fn large_snapshot() -> impl Strategy<Value = Snapshot> {
    vec(option::of(0..3_u8), LARGE).prop_map(|bodies| {
        let numbers = (0..).zip(bodies);
        let there = numbers.filter_map(|(number, body)| Some((numbered(number), body?)));
        there
            .map(|(key, body)| (key, numbered_entry(body)))
            .collect()
    })
}

fn numbered(number: usize) -> ResourceKey {
    ResourceKey::new(Kind::Route, format!("{number}"))
}

fn numbered_entry(body: u8) -> Arc<Entry> {
    Arc::new(Entry::new(vec![body].into()))
}

const LARGE: usize = 500;
