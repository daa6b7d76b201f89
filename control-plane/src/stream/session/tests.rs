//! Plain tests of the session: no socket, no clock.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod convergence;

use bytes::Bytes;
use sluice_proto::wire::control_plane_message::Message;
use sluice_proto::{CertificateMaterial, Entry, Kind, Refusal, Snapshot};
use sluice_translate::{EdgeSettings, Objects, Options, translate};

use super::*;

/// Returns the publication of resources with these names and bodies.
fn publication(generation: u64, resources: &[(&str, &str)]) -> Arc<Publication> {
    let resources = resources
        .iter()
        .map(|(name, body)| (key(name), entry(body)));
    of_snapshot(generation, resources.collect())
}

fn of_snapshot(generation: u64, snapshot: Snapshot) -> Arc<Publication> {
    let options = Options {
        settings: EdgeSettings::default(),
        default_certificate: CertificateMaterial {
            chain: Vec::new(),
            private_key: Bytes::new(),
            names: Vec::new(),
            not_before_unix_s: 0,
            not_after_unix_s: 0,
        },
    };
    // A session looks at the encoded resources alone.
    let mut translation = translate(&Objects::default(), &options);
    translation.snapshot = snapshot;
    Arc::new(Publication::new(generation, Arc::new(translation)))
}

fn key(name: &str) -> ResourceKey {
    ResourceKey::new(Kind::Host, name)
}

fn entry(body: &str) -> Arc<Entry> {
    Arc::new(Entry::new(Bytes::copy_from_slice(body.as_bytes())))
}

fn hello(holds: &Snapshot, generation: u64) -> Introduction {
    Introduction {
        node: "node-a".to_owned(),
        instance: "1".to_owned(),
        build_version: "0.1.0".to_owned(),
        digest: holds.digest(),
        generation,
        leader_unreachable: false,
    }
}

fn nack(generation: u64, refused: &[(&str, &str)]) -> wire::Nack {
    let refusal = |(name, body): &(&str, &str)| {
        Refusal::new(&key(name), entry(body).version(), "no".to_owned()).into()
    };
    wire::Nack {
        generation,
        refused: refused.iter().map(refusal).collect(),
    }
}

/// Returns the only delta: its generation, and the names upserted and removed.
fn delta(messages: Messages) -> (u64, Vec<String>, Vec<String>) {
    let [message] = <[_; 1]>::try_from(messages).unwrap();
    let Some(Message::Delta(delta)) = message.message else {
        panic!("{message:?}");
    };
    assert!(!delta.more);
    let upserted = delta.upserted.into_iter();
    (
        delta.generation,
        upserted
            .map(|resource| resource.key.unwrap().name)
            .collect(),
        delta.removed.into_iter().map(|key| key.name).collect(),
    )
}

fn expect(messages: Messages, generation: u64, upserted: &[&str], removed: &[&str]) {
    let strings = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let expected: (u64, Vec<String>, Vec<String>) =
        (generation, strings(upserted), strings(removed));
    assert_eq!(delta(messages), expected);
}

fn asks_for_holdings(messages: &Messages) -> bool {
    let first = messages.first().and_then(|m| m.message.as_ref());
    messages.len() == 1 && matches!(first, Some(Message::HoldingsRequest(_)))
}

/// Returns the session of a data plane that held nothing and has applied this.
fn synced(publication: &Arc<Publication>) -> Session {
    let mut session = Session::default();
    session.on_published(Arc::clone(publication));
    session.on_hello(&hello(&Snapshot::default(), 0)).unwrap();
    session.on_holdings(&Holdings::default()).unwrap();
    session.on_ack(publication.generation).unwrap();
    session
}

#[test]
fn who_holds_the_same_is_told_so_and_gets_no_resource() {
    let published = publication(7, &[("a", "1")]);
    let mut session = Session::default();
    assert!(session.on_published(Arc::clone(&published)).is_empty());
    let messages = session.on_hello(&hello(published.snapshot(), 6)).unwrap();
    expect(messages, 7, &[], &[]);
    assert!(session.on_ack(7).unwrap().is_empty());
    assert_eq!(session.progress(), Progress { told: 7, acked: 7 });
    expect(
        session.on_published(publication(8, &[("a", "1"), ("b", "1")])),
        8,
        &["b"],
        &[],
    );
}

#[test]
fn who_holds_something_else_gets_the_difference() {
    let mut session = Session::default();
    session.on_published(publication(7, &[("a", "2"), ("b", "1"), ("c", "1")]));
    let holds = publication(5, &[("a", "1"), ("b", "1"), ("d", "1")]);
    let messages = session.on_hello(&hello(holds.snapshot(), 5)).unwrap();
    assert!(asks_for_holdings(&messages));
    let messages = session.on_holdings(&holds.snapshot().holdings()).unwrap();
    expect(messages, 7, &["a", "c"], &["d"]);
    assert_eq!(session.progress(), Progress { told: 7, acked: 0 });
    assert!(session.on_ack(7).unwrap().is_empty());
    assert_eq!(session.progress(), Progress { told: 7, acked: 7 });
}

#[test]
fn before_anything_is_published_a_data_plane_waits() {
    let published = publication(1, &[("a", "1")]);
    let mut session = Session::default();
    let messages = session.on_hello(&hello(&Snapshot::default(), 0)).unwrap();
    assert!(messages.is_empty());
    assert!(asks_for_holdings(&session.on_published(published)));
}

#[test]
fn a_generation_never_goes_backwards() {
    let other = publication(9, &[("b", "1")]);
    let mut session = Session::default();
    session.on_published(publication(1, &[("a", "1")]));
    let messages = session.on_hello(&hello(other.snapshot(), 9)).unwrap();
    assert!(messages.is_empty(), "1 would be a step back from 9");
    assert!(asks_for_holdings(
        &session.on_published(publication(10, &[("a", "1")]))
    ));
}

#[test]
fn one_delta_is_in_flight_and_what_comes_meanwhile_is_one_more() {
    let mut session = synced(&publication(1, &[("a", "1")]));
    expect(
        session.on_published(publication(2, &[("a", "2")])),
        2,
        &["a"],
        &[],
    );
    assert!(
        session
            .on_published(publication(3, &[("b", "1")]))
            .is_empty()
    );
    assert!(
        session
            .on_published(publication(4, &[("a", "2"), ("c", "1")]))
            .is_empty()
    );
    expect(session.on_ack(2).unwrap(), 4, &["c"], &[]);
    assert!(session.on_ack(4).unwrap().is_empty());
}

#[test]
fn what_was_refused_is_not_held_and_not_sent_until_it_changes() {
    let mut session = synced(&publication(1, &[("a", "1"), ("b", "1")]));
    let second = publication(2, &[("a", "bad"), ("b", "2"), ("c", "bad")]);
    expect(session.on_published(second), 2, &["a", "b", "c"], &[]);
    let messages = session
        .on_nack(nack(2, &[("a", "bad"), ("c", "bad")]))
        .unwrap();
    assert!(messages.is_empty());
    assert_eq!(session.progress().acked, 2);
    let refused = |session: &Session| {
        let names = session.refused().keys().map(|key| key.name.to_string());
        names.collect::<Vec<_>>()
    };
    assert_eq!(refused(&session), ["a", "c"]);

    let third = publication(3, &[("a", "bad"), ("b", "3"), ("c", "bad")]);
    expect(session.on_published(third), 3, &["b"], &[]);
    session.on_ack(3).unwrap();
    // The older "a" is still held, so it is removed; "c" never was.
    expect(
        session.on_published(publication(4, &[("b", "3")])),
        4,
        &[],
        &["a"],
    );
    assert_eq!(refused(&session), [""; 0]);
    session.on_ack(4).unwrap();
    let fifth = publication(5, &[("a", "good"), ("b", "3"), ("c", "good")]);
    expect(session.on_published(fifth), 5, &["a", "c"], &[]);
}

#[test]
fn back_to_the_version_that_is_still_held_sends_nothing_but_the_number() {
    let mut session = synced(&publication(1, &[("a", "1")]));
    session.on_published(publication(2, &[("a", "bad")]));
    session.on_nack(nack(2, &[("a", "bad")])).unwrap();
    expect(
        session.on_published(publication(3, &[("a", "1")])),
        3,
        &[],
        &[],
    );
}

#[test]
fn a_change_while_the_refusal_is_on_its_way_is_sent() {
    let mut session = synced(&publication(1, &[("a", "1")]));
    session.on_published(publication(2, &[("a", "bad")]));
    session.on_published(publication(3, &[("a", "good")]));
    let messages = session.on_nack(nack(2, &[("a", "bad")])).unwrap();
    expect(messages, 3, &["a"], &[]);
    assert!(session.refused().is_empty());
}

#[test]
fn who_reconnects_gets_what_it_refused_again() {
    let published = publication(2, &[("a", "bad"), ("b", "1")]);
    let holds = publication(2, &[("b", "1")]);
    let mut session = Session::default();
    session.on_published(published);
    session.on_hello(&hello(holds.snapshot(), 2)).unwrap();
    let messages = session.on_holdings(&holds.snapshot().holdings()).unwrap();
    expect(messages, 2, &["a"], &[]);
}

#[test]
fn problems_alone_send_nothing() {
    let mut session = synced(&publication(1, &[("a", "1")]));
    assert!(
        session
            .on_published(publication(1, &[("a", "1")]))
            .is_empty()
    );
}

#[test]
fn a_raised_number_is_told() {
    let mut session = synced(&publication(1, &[("a", "1")]));
    expect(
        session.on_published(publication(9, &[("a", "1")])),
        9,
        &[],
        &[],
    );
}

#[test]
fn a_large_snapshot_comes_in_chunks_that_one_ack_answers() {
    let body = "x".repeat(400_000);
    let names: Vec<String> = (0..10).map(|number| format!("h{number}")).collect();
    let resources: Vec<(&str, &str)> = names.iter().map(|name| (&**name, &*body)).collect();
    let mut session = Session::default();
    session.on_published(publication(1, &resources));
    session.on_hello(&hello(&Snapshot::default(), 0)).unwrap();
    let messages = session.on_holdings(&Holdings::default()).unwrap();
    let more: Vec<bool> = messages
        .iter()
        .map(|message| match &message.message {
            Some(Message::Delta(delta)) => {
                let bytes: usize = delta.upserted.iter().map(|r| r.body.len()).sum();
                assert!(bytes < CHUNK_BYTES + body.len());
                delta.more
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(more, [true, true, true, false]);
    assert!(session.on_ack(1).unwrap().is_empty());
}

#[test]
fn what_breaks_the_protocol_is_named() {
    let published = publication(3, &[("a", "1")]);
    let text = |result: Result<Messages, Violation>| result.unwrap_err().to_string();

    assert!(text(Session::default().on_ack(3)).contains("Ack before Hello"));
    let mut session = synced(&published);
    let violation = text(session.on_ack(9));
    assert!(violation.contains("generation 9"), "{violation}");
    let mut session = synced(&published);
    session.on_published(publication(4, &[("a", "2")]));
    let violation = text(session.on_ack(3));
    assert!(
        violation.contains("generation 3") && violation.contains("generation 4 is"),
        "{violation}"
    );
    let mut session = synced(&published);
    let again = session.on_hello(&hello(published.snapshot(), 3));
    assert_eq!(again, Err(Violation::SecondHello));
    let unasked = session.on_holdings(&Holdings::default());
    assert_eq!(unasked, Err(Violation::UnaskedHoldings));

    let mut session = synced(&published);
    session.on_published(publication(4, &[("a", "2")]));
    assert_eq!(session.on_nack(nack(4, &[])), Err(Violation::EmptyNack(4)));
    let mut session = synced(&published);
    session.on_published(publication(4, &[("a", "2")]));
    let violation = text(session.on_nack(nack(4, &[("b", "1")])));
    assert!(violation.contains("host \"b\""), "{violation}");
}
