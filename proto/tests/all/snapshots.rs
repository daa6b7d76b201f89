//! Snapshots, their differences and their digests: the protocol's laws.

use proptest::prelude::*;
use prost::Message as _;
use sluice_proto::{Difference, Entry, Holdings, Kind, ResourceKey, Snapshot, Version, diff, wire};

use crate::arbitrary::{key, snapshot};

proptest! {
    #[test]
    fn a_difference_leads_from_the_one_to_the_other(held in snapshot(), target in snapshot()) {
        let mut applied = held.clone();
        applied.apply(diff(&held.holdings(), &target));
        prop_assert_eq!(&applied, &target);
        prop_assert!(diff(&applied.holdings(), &target).is_empty());
    }

    #[test]
    fn a_difference_holds_nothing_that_is_held_already(held in snapshot(), target in snapshot()) {
        let difference = diff(&held.holdings(), &target);
        for (key, entry) in &difference.upserted {
            prop_assert_ne!(held.entry(key), Some(entry));
        }
        for key in &difference.removed {
            prop_assert!(held.entry(key).is_some() && target.entry(key).is_none());
        }
    }

    #[test]
    fn chunks_of_any_size_carry_a_difference_whole(
        held in snapshot(),
        target in snapshot(),
        generation: u64,
        chunk_bytes in prop_oneof![0_usize..20, Just(usize::MAX)],
    ) {
        let chunks = diff(&held.holdings(), &target).into_wire(generation, chunk_bytes);
        let (last, others) = chunks.split_last().unwrap();
        prop_assert!(!last.more && others.iter().all(|chunk| chunk.more));
        let mut difference = Difference::default();
        for chunk in &chunks {
            let chunk = wire::Delta::decode(chunk.encode_to_vec().as_slice()).unwrap();
            prop_assert_eq!(chunk.generation, generation);
            // One resource is never split: a chunk goes over its size with its last.
            let (_, all_but_last) = chunk.upserted.split_last().map_or((None, &[][..]), |(last, rest)| (Some(last), rest));
            let bytes: usize = all_but_last.iter().map(|resource| resource.body.len()).sum();
            prop_assert!(all_but_last.is_empty() || bytes < chunk_bytes);
            prop_assert_eq!(difference.extend_from_wire(chunk), []);
        }
        let mut applied = held;
        applied.apply(difference);
        prop_assert_eq!(applied, target);
    }

    #[test]
    fn whoever_holds_the_same_has_the_same_digest(one in snapshot(), other in snapshot()) {
        prop_assert_eq!(one.digest(), one.holdings().digest());
        prop_assert_eq!(one.digest() == other.digest(), one == other);
    }

    #[test]
    fn holdings_survive_the_wire(held in snapshot()) {
        let message = wire::Holdings::from(&held.holdings()).encode_to_vec();
        let received = Holdings::from(&wire::Holdings::decode(message.as_slice()).unwrap());
        prop_assert_eq!(received, held.holdings());
    }

    #[test]
    fn holdings_follow_what_is_put_in_and_taken_out(held in snapshot(), key in key(), body: Vec<u8>) {
        let (mut snapshot, mut holdings) = (held.clone(), held.holdings());
        let entry = Entry::new(body.into());
        holdings.insert(key.clone(), entry.version());
        snapshot.insert(key.clone(), entry.into());
        prop_assert_eq!(snapshot.digest(), holdings.digest());
        holdings.remove(&key);
        snapshot.remove(&key);
        prop_assert_eq!(snapshot.digest(), holdings.digest());
    }
}

// "The first 16 bytes of the BLAKE3 hash of `body`": replicas of different builds must agree.
#[test]
fn the_version_is_the_start_of_blake3() {
    assert_eq!(
        Version::of(b"").to_string(),
        "af1349b9f5f9a1a6a0404dea36dcc949"
    );
}

#[test]
fn names_do_not_run_into_each_other_in_a_digest() {
    let snapshot = |names: &[&str]| {
        let entry = |name: &&str| {
            let key = ResourceKey::new(Kind::Route, *name);
            (key, Entry::new(bytes::Bytes::new()).into())
        };
        names.iter().map(entry).collect::<Snapshot>()
    };
    assert_ne!(snapshot(&["ab"]).digest(), snapshot(&["a", "b"]).digest());
}
