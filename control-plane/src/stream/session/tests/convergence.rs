//! Whatever is published and answered in whatever order: in the end the data plane holds the last snapshot but for what it
//! refuses.

use std::collections::VecDeque;

use proptest::prelude::*;
use sluice_proto::Difference;

use super::*;

/// A data plane as it should be: applies what comes, refuses what cannot be.
#[derive(Default)]
struct DataPlane {
    holds: Snapshot,
    generation: u64,
    coming: Difference,
    inbox: VecDeque<wire::ControlPlaneMessage>,
    refusals: Vec<(ResourceKey, Version)>,
}

#[derive(Clone, Debug)]
enum Step {
    /// Something else is published: for each name a body, or none.
    Publish(Vec<Option<u8>>),
    /// The data plane reads and answers one message.
    Answer,
    /// The stream breaks, with all that is on its way.
    Reconnect,
}

// Of eight bodies two cannot be accepted.
fn is_acceptable(body: &[u8]) -> bool {
    !matches!(body, [b'0' | b'1'])
}

impl DataPlane {
    fn answer(&mut self, session: &mut Session) {
        let Some(message) = self.inbox.pop_front() else {
            return;
        };
        let messages = match message.message.unwrap() {
            Message::HoldingsRequest(_) => {
                let holdings = wire::Holdings::from(&self.holds.holdings());
                session.on_holdings(&Holdings::from(&holdings)).unwrap()
            }
            Message::Delta(delta) => {
                let (generation, more) = (delta.generation, delta.more);
                assert!(generation >= self.generation, "never backwards");
                let refused = self.coming.extend_from_wire(delta);
                assert!(refused.is_empty());
                if more {
                    return;
                }
                let refused = self.apply();
                self.generation = generation;
                if refused.is_empty() {
                    session.on_ack(generation).unwrap()
                } else {
                    let refused = refused.into_iter();
                    let refused = refused.map(Into::into).collect();
                    session
                        .on_nack(wire::Nack {
                            generation,
                            refused,
                        })
                        .unwrap()
                }
            }
            Message::Redirect(_) => unreachable!("a session sends nobody away"),
        };
        self.inbox.extend(messages);
    }

    fn apply(&mut self) -> Vec<Refusal> {
        let mut coming = std::mem::take(&mut self.coming);
        let mut refused = Vec::new();
        coming.upserted.retain(|(key, entry)| {
            let accepted = is_acceptable(entry.body());
            if !accepted {
                refused.push(Refusal::new(key, entry.version(), "no".to_owned()));
                let again = (key.clone(), entry.version());
                assert!(!self.refusals.contains(&again), "{key} was sent again");
                self.refusals.push(again);
            }
            accepted
        });
        for (key, entry) in &coming.upserted {
            assert_ne!(
                self.holds.entry(key),
                Some(entry),
                "{key} was sent for nothing"
            );
            self.refusals.retain(|(refused, _)| refused != key);
        }
        for key in &coming.removed {
            assert!(
                self.holds.entry(key).is_some(),
                "{key} was removed for nothing"
            );
        }
        self.holds.apply(coming);
        refused
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let body = proptest::option::of(0..8_u8);
    let publish = proptest::collection::vec(body, 5).prop_map(Step::Publish);
    let step = prop_oneof![4 => publish, 6 => Just(Step::Answer), 1 => Just(Step::Reconnect)];
    proptest::collection::vec(step, 0..60)
}

fn snapshot(bodies: &[Option<u8>]) -> Snapshot {
    let named = bodies.iter().enumerate();
    named
        .filter_map(|(name, body)| Some((key(&format!("h{name}")), entry(&(*body)?.to_string()))))
        .collect()
}

fn connect(data_plane: &mut DataPlane, latest: Option<&Arc<Publication>>) -> Session {
    data_plane.inbox.clear();
    data_plane.coming = Difference::default();
    data_plane.refusals.clear();
    let mut session = Session::default();
    if let Some(latest) = latest {
        session.on_published(Arc::clone(latest));
    }
    let hello = hello(&data_plane.holds, data_plane.generation);
    data_plane.inbox.extend(session.on_hello(&hello).unwrap());
    session
}

proptest! {
    #[test]
    fn a_data_plane_ends_with_the_last_snapshot_but_for_what_it_refuses(steps in steps()) {
        let mut data_plane = DataPlane::default();
        let mut latest: Option<Arc<Publication>> = None;
        let mut session = connect(&mut data_plane, None);
        for step in steps {
            match step {
                Step::Publish(bodies) => {
                    let snapshot = snapshot(&bodies);
                    let generation = latest.as_ref().map_or(0, |latest| latest.generation);
                    let changed = latest.as_ref().is_none_or(|latest| latest.digest() != snapshot.digest());
                    let published = of_snapshot(generation + u64::from(changed), snapshot);
                    data_plane.inbox.extend(session.on_published(Arc::clone(&published)));
                    latest = Some(published);
                }
                Step::Answer => data_plane.answer(&mut session),
                Step::Reconnect => session = connect(&mut data_plane, latest.as_ref()),
            }
            // A refusal counts as long as the refused version is published.
            let published = latest.as_ref().map(|latest| latest.snapshot());
            data_plane.refusals.retain(|(key, version)| {
                let entry = published.and_then(|published| published.entry(key));
                entry.is_some_and(|entry| entry.version() == *version)
            });
        }
        while !data_plane.inbox.is_empty() {
            data_plane.answer(&mut session);
        }
        let Some(latest) = latest else {
            return Ok(());
        };
        prop_assert_eq!(session.progress().acked, latest.generation);
        prop_assert!(session.held.lacks(&data_plane.holds).is_empty());
        for (key, entry) in latest.snapshot().iter() {
            if is_acceptable(entry.body()) {
                prop_assert_eq!(data_plane.holds.entry(key), Some(entry));
            } else {
                prop_assert!(session.refused().contains_key(key));
                prop_assert!(data_plane.holds.entry(key).is_none_or(|held| is_acceptable(held.body())));
            }
        }
        for (key, _) in data_plane.holds.iter() {
            prop_assert!(latest.snapshot().entry(key).is_some(), "{} stayed", key);
        }
    }
}
