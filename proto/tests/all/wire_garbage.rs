//! Whatever comes off the wire: it is taken or refused by name, and never a panic.

use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;
use prost::Message;
use sluice_proto::{
    Difference, Entry, Holdings, Kind, Refusal, Resource, ResourceKey, Snapshot, diff, wire,
};

use crate::arbitrary::{kind, resource, snapshot};

proptest! {
    #[test]
    fn garbage_as_a_body_is_no_panic(kind in kind(), name in ".{1,9}", body: Vec<u8>) {
        let _ = Resource::parse(&ResourceKey::new(kind, name), body.into());
    }

    // A body that was a good one, with some of its bytes changed: it mostly decodes, and its values are odd.
    #[test]
    fn a_damaged_body_is_taken_or_refused(
        resource in resource(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        as_kind in prop::option::of(kind()),
    ) {
        let mut body = resource.body().to_vec();
        for (at, byte) in damage.into_iter().filter(|_| !body.is_empty()).collect::<Vec<_>>() {
            let at = at.index(body.len());
            body[at] = byte;
        }
        let key = resource.key();
        let key = ResourceKey::new(as_kind.unwrap_or(key.kind), key.name);
        match Resource::parse(&key, body.into()) {
            // What is taken can be sent on.
            Ok(parsed) => prop_assert_eq!(Resource::parse(&parsed.key(), parsed.body()).unwrap(), parsed),
            Err(error) => prop_assert!(!error.reason().is_empty()),
        }
    }

    #[test]
    fn odd_messages_are_refused_alone(
        target in snapshot(),
        odd in prop::collection::vec(odd_resource(), 0..6),
        removed in prop::collection::vec(odd_key(), 0..6),
        chunk_bytes in 0_usize..9,
    ) {
        let mut chunks = diff(&Holdings::default(), &target).into_wire(1, chunk_bytes);
        let expected = odd.len();
        chunks[0].upserted.extend(odd);
        // Before what is applied, so that what is really removed does not matter here.
        chunks[0].removed.extend(removed);
        let mut difference = Difference::default();
        let refused = chunks.into_iter().flat_map(|chunk| difference.extend_from_wire(chunk));
        let refused: Vec<_> = refused.collect();
        prop_assert_eq!(refused.len(), expected);
        for refusal in refused {
            prop_assert!(!refusal.reason.is_empty());
            prop_assert_eq!(Refusal::from(wire::Refusal::from(refusal.clone())), refusal);
        }
        let mut applied = Snapshot::default();
        applied.apply(difference);
        prop_assert_eq!(applied, target);
    }

    #[test]
    fn odd_holdings_count_as_not_held(
        held in snapshot(),
        odd in prop::collection::vec((prop::option::of(odd_key()), prop::collection::vec(any::<u8>(), 0..15)), 0..6),
    ) {
        let mut message = wire::Holdings::from(&held.holdings());
        let odd = odd.into_iter().map(|(key, version)| wire::Holding { key, version: version.into() });
        message.holdings.extend(odd);
        prop_assert_eq!(Holdings::from(&message), held.holdings());
    }

    #[test]
    fn messages_of_the_stream_never_panic(bytes: Vec<u8>) {
        if let Ok(delta) = wire::Delta::decode(bytes.as_slice()) {
            let _ = Difference::default().extend_from_wire(delta);
        }
        if let Ok(holdings) = wire::Holdings::decode(bytes.as_slice()) {
            let _ = Holdings::from(&holdings);
        }
        if let Ok(nack) = wire::Nack::decode(bytes.as_slice()) {
            let _: Vec<_> = nack.refused.into_iter().map(Refusal::from).collect();
        }
    }
}

/// A key that is none: a kind of the future, or no name.
fn odd_key() -> impl Strategy<Value = wire::ResourceKey> {
    prop_oneof![
        ("[A-Z]{0,9}", ".{0,9}").prop_map(|(kind, name)| wire::ResourceKey { kind, name }),
        kind().prop_map(|kind| wire::ResourceKey {
            kind: kind.as_str().to_owned(),
            name: String::new(),
        }),
    ]
}

/// A resource that cannot be taken.
fn odd_resource() -> impl Strategy<Value = wire::Resource> {
    let whole = |key: Option<wire::ResourceKey>, body: Vec<u8>| {
        let version = Entry::new(body.clone().into()).version();
        wire::Resource {
            key,
            version: Bytes::copy_from_slice(version.as_bytes()),
            body: body.into(),
        }
    };
    prop_oneof![
        (prop::option::of(odd_key()), any::<Vec<u8>>())
            .prop_map(move |(key, body)| whole(key, body)),
        (
            kind(),
            any::<Vec<u8>>(),
            prop::collection::vec(any::<u8>(), 0..20)
        )
            .prop_map(|(kind, body, version)| wire::Resource {
                key: Some((&ResourceKey::new(kind, "x")).into()),
                version: version.into(),
                body: body.into(),
            }),
    ]
}

fn refusals_of(changes: impl FnOnce(&mut wire::Resource)) -> (Vec<Refusal>, Difference) {
    let entry = |name| {
        let entry = Entry::new(Bytes::from_static(b"body"));
        (ResourceKey::new(Kind::Route, name), Arc::new(entry))
    };
    let target = [entry("bad"), entry("good")].into_iter().collect();
    let mut delta = diff(&Holdings::default(), &target)
        .into_wire(1, usize::MAX)
        .remove(0);
    changes(&mut delta.upserted[0]);
    let mut difference = Difference::default();
    let refused = difference.extend_from_wire(delta);
    let names: Vec<_> = (difference.upserted.iter())
        .map(|(key, _)| &*key.name)
        .collect();
    assert_eq!(names, ["good"]);
    (refused, difference)
}

#[test]
fn a_version_that_is_not_the_hash_is_refused() {
    let (refused, _) = refusals_of(|resource| resource.body = Bytes::from_static(b"Body"));
    assert_eq!(refused[0].name, "bad");
    assert_eq!(refused[0].reason, "the version is not the hash of the body");
}

#[test]
fn an_unknown_kind_and_a_missing_name_are_refused_by_name() {
    let change = |changes: fn(&mut wire::ResourceKey)| {
        let (refused, _) = refusals_of(|resource| changes(resource.key.as_mut().unwrap()));
        refused.into_iter().next().unwrap()
    };
    let refusal = change(|key| key.kind = "policy".to_owned());
    assert_eq!((&*refusal.kind, &*refusal.name), ("policy", "bad"));
    assert_eq!(
        refusal.reason,
        "the kind \"policy\" is not known to this build"
    );
    assert_eq!(change(|key| key.name.clear()).reason, "the name is empty");
    let (refused, _) = refusals_of(|resource| resource.key = None);
    assert_eq!(refused[0].reason, "key is not set");
}
