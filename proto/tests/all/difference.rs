//! How one snapshot becomes another: `apply(a, diff(a, b)) == b`, over the wire in any number of chunks.

use std::sync::Arc;

use proptest::prelude::*;
use sluice_proto::{Difference, Entry, Holdings, ResourceKey, Snapshot, diff, wire};

use super::arbitrary::{bytes, key, snapshot};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn applying_the_difference_gives_the_target(held in snapshot(), target in snapshot()) {
        let difference = diff(&held.holdings(), &target);
        let mut applied = held;
        applied.apply(difference);
        prop_assert_eq!(applied, target);
    }

    #[test]
    fn the_difference_says_nothing_that_is_held(held in snapshot(), target in snapshot()) {
        let difference = diff(&held.holdings(), &target);
        for (key, entry) in &difference.upserted {
            prop_assert_ne!(held.entry(key), Some(entry));
        }
        for key in &difference.removed {
            prop_assert!(held.entry(key).is_some() && target.entry(key).is_none());
        }
        prop_assert!(diff(&target.holdings(), &target).is_empty());
    }

    #[test]
    fn chunks_carry_the_difference_whole(
        held in snapshot(),
        target in snapshot(),
        generation: u64,
        chunk_bytes in 0_usize..40,
    ) {
        let difference = diff(&held.holdings(), &target);
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

    #[test]
    fn noting_each_change_comes_to_the_same_list(held in snapshot(), target in snapshot()) {
        let mut noted = held.holdings();
        let difference = diff(&noted, &target);
        for key in &difference.removed {
            noted.remove(key);
        }
        for (key, entry) in difference.upserted {
            noted.insert(key, entry.version());
        }
        prop_assert_eq!(noted.digest(), target.digest());
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
