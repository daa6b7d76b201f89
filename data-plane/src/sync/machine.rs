//! What is said on one stream, and when: the decisions of the data plane's side as a state machine without any I/O.

use prost::Message as _;
use sluice_proto::wire::control_plane_message::Message as Received;
use sluice_proto::wire::data_plane_message::Message as Said;
use sluice_proto::{Difference, Holdings, Refusal, Snapshot, wire};

/// One stream, from `Hello` to its end.
#[derive(Debug, Default)]
pub(crate) struct Machine {
    incoming: Option<Incoming>,
    reported: Option<wire::Report>,
}

/// A delta of which there is more to come.
#[derive(Debug)]
struct Incoming {
    generation: u64,
    difference: Difference,
    refused: Vec<Refusal>,
    bytes: usize,
}

/// What is to be done about a message.
#[derive(Debug)]
pub(crate) enum Step {
    /// Apply this, and then say what [`Machine::applied`] returns.
    Apply {
        generation: u64,
        difference: Difference,
        /// What is refused already, because it is no resource at all.
        refused: Vec<Refusal>,
    },
    /// Go to this replica, "ip:port"; empty for whichever answers.
    Redirect(String),
    /// Say this.
    Say(wire::DataPlaneMessage),
    /// Wait for the rest.
    Wait,
}

/// The control plane sent what it may not send: it is at fault, and the stream ends.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum Violation {
    #[error("a message that this build does not know; upgrade the data plane")]
    Empty,
    #[error("a delta of generation {second} inside that of generation {first}")]
    Interleaved { first: u64, second: u64 },
    #[error("a delta larger than {} MiB", MAX_BYTES >> 20)]
    Large,
}

impl Machine {
    /// Returns what is said first.
    pub(crate) fn hello(
        node: &str,
        instance: &str,
        held: &Snapshot,
        generation: u64,
        leader_unreachable: bool,
    ) -> wire::DataPlaneMessage {
        say(Said::Hello(wire::Hello {
            node: node.to_owned(),
            instance: instance.to_owned(),
            build_version: env!("CARGO_PKG_VERSION").to_owned(),
            digest: held.digest().as_bytes().to_vec().into(),
            generation,
            leader_unreachable,
        }))
    }

    /// Takes in what the control plane says to somebody who holds this.
    ///
    /// # Errors
    ///
    /// If it may not say so.
    pub(crate) fn on_message(
        &mut self,
        message: wire::ControlPlaneMessage,
        held: impl FnOnce() -> Holdings,
    ) -> Result<Step, Violation> {
        match message.message.ok_or(Violation::Empty)? {
            Received::HoldingsRequest(_) => {
                let holdings = wire::Holdings::from(&held());
                Ok(Step::Say(say(Said::Holdings(holdings))))
            }
            Received::Delta(delta) => self.on_delta(delta),
            Received::Redirect(redirect) => Ok(Step::Redirect(redirect.address)),
        }
    }

    /// Returns the answer to a delta that was applied but for what was refused.
    pub(crate) fn applied(generation: u64, refused: Vec<Refusal>) -> wire::DataPlaneMessage {
        if refused.is_empty() {
            return say(Said::Ack(wire::Ack { generation }));
        }
        say(Said::Nack(wire::Nack {
            generation,
            refused: refused.into_iter().map(Into::into).collect(),
        }))
    }

    /// Returns what is to be said about how this data plane is, if it has not been said.
    pub(crate) fn report(&mut self, report: wire::Report) -> Option<wire::DataPlaneMessage> {
        if self.reported.as_ref() == Some(&report) {
            return None;
        }
        self.reported = Some(report.clone());
        Some(say(Said::Report(report)))
    }

    // "More Deltas of this generation follow; nothing takes effect before the last."
    fn on_delta(&mut self, delta: wire::Delta) -> Result<Step, Violation> {
        let (generation, more) = (delta.generation, delta.more);
        let mut incoming = self.incoming.take().unwrap_or_else(|| Incoming {
            generation,
            difference: Difference::default(),
            refused: Vec::new(),
            bytes: 0,
        });
        if incoming.generation != generation {
            return Err(Violation::Interleaved {
                first: incoming.generation,
                second: generation,
            });
        }
        incoming.bytes += delta.encoded_len();
        if incoming.bytes > MAX_BYTES {
            return Err(Violation::Large);
        }
        let refused = incoming.difference.extend_from_wire(delta);
        incoming.refused.extend(refused);
        if more {
            self.incoming = Some(incoming);
            return Ok(Step::Wait);
        }
        Ok(Step::Apply {
            generation,
            difference: incoming.difference,
            refused: incoming.refused,
        })
    }
}

fn say(message: Said) -> wire::DataPlaneMessage {
    wire::DataPlaneMessage {
        message: Some(message),
    }
}

/// The largest snapshot that is taken; the copy on disk has the same limit.
const MAX_BYTES: usize = 256 << 20;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use sluice_proto::{Entry, Kind, ResourceKey};

    use super::*;

    fn snapshot(names: &[&str]) -> Snapshot {
        let entry = |name: &&str| {
            let entry = Entry::new(name.as_bytes().to_vec().into());
            (ResourceKey::new(Kind::Route, *name), Arc::new(entry))
        };
        names.iter().map(entry).collect()
    }

    fn deltas(target: &Snapshot, chunk_bytes: usize) -> Vec<wire::ControlPlaneMessage> {
        let chunks = target
            .changes_since(&Snapshot::default())
            .into_wire(7, chunk_bytes);
        chunks.into_iter().map(received).collect()
    }

    fn received(delta: wire::Delta) -> wire::ControlPlaneMessage {
        wire::ControlPlaneMessage {
            message: Some(Received::Delta(delta)),
        }
    }

    fn take(machine: &mut Machine, message: wire::ControlPlaneMessage) -> Result<Step, Violation> {
        machine.on_message(message, Holdings::default)
    }

    #[test]
    fn chunks_take_effect_at_the_last() {
        let target = snapshot(&["a", "b", "c"]);
        let mut machine = Machine::default();
        let mut messages = deltas(&target, 1);
        let last = messages.pop().unwrap();
        assert_eq!(messages.len(), 2);
        for message in messages {
            assert!(matches!(take(&mut machine, message), Ok(Step::Wait)));
        }
        let Ok(Step::Apply {
            generation,
            difference,
            refused,
        }) = take(&mut machine, last)
        else {
            panic!("the last chunk is applied");
        };
        let mut held = Snapshot::default();
        held.apply(difference);
        assert_eq!((generation, held), (7, target));
        assert!(refused.is_empty());
    }

    #[test]
    fn what_is_no_resource_is_refused_alone() {
        let mut chunk = snapshot(&["a", "b"])
            .changes_since(&Snapshot::default())
            .into_wire(7, 1 << 20);
        let mut delta = chunk.remove(0);
        delta.upserted[0].key.as_mut().unwrap().kind = "plugin".to_owned();
        delta.upserted[1].version = vec![0; 16].into();
        let step = take(&mut Machine::default(), received(delta)).unwrap();
        let Step::Apply {
            refused,
            difference,
            ..
        } = step
        else {
            panic!("the rest is applied");
        };
        assert!(difference.is_empty());
        assert!(refused[0].reason.contains("\"plugin\""), "{refused:?}");
        assert!(refused[1].reason.contains("hash"), "{refused:?}");
        let answer = Machine::applied(7, refused).message.unwrap();
        assert!(matches!(answer, Said::Nack(nack) if nack.refused.len() == 2));
    }

    #[test]
    fn two_generations_do_not_mix() {
        let mut machine = Machine::default();
        let mut messages = deltas(&snapshot(&["a", "b"]), 1);
        take(&mut machine, messages.remove(0)).unwrap();
        let other = received(wire::Delta {
            generation: 8,
            ..wire::Delta::default()
        });
        let error = take(&mut machine, other).unwrap_err();
        assert_eq!(
            error,
            Violation::Interleaved {
                first: 7,
                second: 8
            }
        );
    }

    #[test]
    fn a_delta_that_never_ends_is_cut_off() {
        // Neither the bodies nor the names may fill the memory; the same bytes stand for all of them here.
        let name = "a".repeat(1 << 20);
        let body = bytes::Bytes::from(vec![0; 32 << 20]);
        let removed = || wire::Delta {
            removed: vec![
                wire::ResourceKey {
                    kind: String::new(),
                    name: name.clone()
                };
                32
            ],
            more: true,
            ..wire::Delta::default()
        };
        let upserted = || wire::Delta {
            upserted: vec![wire::Resource {
                body: body.clone(),
                ..wire::Resource::default()
            }],
            more: true,
            ..wire::Delta::default()
        };
        for delta in [&removed as &dyn Fn() -> wire::Delta, &upserted] {
            let mut machine = Machine::default();
            let mut taken = 0;
            while let Ok(step) = take(&mut machine, received(delta())) {
                assert!(matches!(step, Step::Wait));
                taken += 1;
                assert!(taken < 9, "it takes more than {MAX_BYTES} bytes");
            }
            assert_eq!(taken, 7);
            assert!(machine.incoming.is_none(), "what it took is let go");
        }
    }

    #[test]
    fn an_unknown_message_ends_the_stream() {
        let empty = wire::ControlPlaneMessage::default();
        assert_eq!(
            take(&mut Machine::default(), empty).unwrap_err(),
            Violation::Empty
        );
    }

    #[test]
    fn it_says_what_it_holds_when_asked() {
        let request = Received::HoldingsRequest(wire::HoldingsRequest {});
        let message = wire::ControlPlaneMessage {
            message: Some(request),
        };
        let held = || snapshot(&["a"]).holdings();
        let step = Machine::default().on_message(message, held).unwrap();
        let Step::Say(wire::DataPlaneMessage {
            message: Some(Said::Holdings(holdings)),
        }) = step
        else {
            panic!("it answers with holdings");
        };
        assert_eq!(Holdings::from(&holdings), held());
    }

    #[test]
    fn the_same_is_reported_once() {
        let mut machine = Machine::default();
        let serving = || wire::Report {
            state: 2,
            problems: Vec::new(),
        };
        assert!(machine.report(serving()).is_some());
        assert!(machine.report(serving()).is_none());
        let draining = wire::Report {
            state: 3,
            problems: Vec::new(),
        };
        assert!(machine.report(draining).is_some());
    }
}
