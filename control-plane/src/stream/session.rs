//! What is said to one data plane, and when: the decisions of the stream as a state machine without any I/O.
//!
//! It takes what the data plane said and what was published, and returns what to say; it knows no socket, clock or task
//! ([`conversation`](super::conversation) has those), and not how the data plane does otherwise
//! ([`Registry`](super::Registry) has that).

use std::collections::BTreeMap;
use std::sync::Arc;

use sluice_proto::{Holdings, ResourceKey, Snapshot, Version, wire};

use crate::publication::Publication;
use crate::stream::held::Held;
use crate::stream::hello::Introduction;

/// One data plane's stream, from its `Hello` to its end.
#[derive(Debug, Default)]
pub(crate) struct Session {
    latest: Option<Arc<Publication>>,
    phase: Phase,
    held: Held,
    refused: BTreeMap<ResourceKey, Refused>,
    progress: Progress,
}

/// How far a data plane is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Progress {
    /// The highest generation that it was told of, or that it was found to hold.
    pub(crate) told: u64,
    /// The highest that it is known to have applied; 0 if none.
    pub(crate) acked: u64,
}

/// A version of a resource that a data plane refused.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Refused {
    pub(crate) version: Version,
    pub(crate) reason: String,
}

/// What is to be said, in order.
pub(crate) type Messages = Vec<wire::ControlPlaneMessage>;

#[derive(Debug, Default)]
enum Phase {
    /// It has not said Hello yet.
    #[default]
    Silent,
    /// It has, but there is nothing published yet, or nothing as high as what it holds.
    Greeted { digest: Version, generation: u64 },
    /// It was asked what it holds.
    Asked,
    /// It has answered everything.
    Settled,
    /// It has not answered the last delta yet.
    InFlight(InFlight),
}

/// A delta that was sent, and what a data plane holds once it has applied it.
#[derive(Debug)]
struct InFlight {
    generation: u64,
    snapshot: Snapshot,
    sent: BTreeMap<ResourceKey, Version>,
    /// Not sent, because it was refused in just this version before.
    withheld: Vec<ResourceKey>,
}

/// A data plane said what it may not say here: it is at fault, and its stream ends.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum Violation {
    #[error("Hello: {field} must be {expected}")]
    Hello {
        field: &'static str,
        expected: &'static str,
    },
    #[error("a second Hello; one stream has one")]
    SecondHello,
    #[error("{0} before Hello")]
    BeforeHello(&'static str),
    #[error("Holdings, which were not asked for")]
    UnaskedHoldings,
    #[error("{answer} of generation {generation}, which is not in flight{}", in_flight(*.sent))]
    NotInFlight {
        answer: &'static str,
        generation: u64,
        sent: Option<u64>,
    },
    #[error("Nack of generation {0} without a refused resource; that is an Ack")]
    EmptyNack(u64),
    #[error("Nack of generation {generation} refuses {kind} {name:?}, which that did not bring")]
    UnsentRefused {
        generation: u64,
        kind: String,
        name: String,
    },
}

impl Session {
    /// Takes in who connects.
    ///
    /// # Errors
    ///
    /// If it has said so before.
    pub(crate) fn on_hello(&mut self, hello: &Introduction) -> Result<Messages, Violation> {
        if !matches!(self.phase, Phase::Silent) {
            return Err(Violation::SecondHello);
        }
        self.phase = Phase::Greeted {
            digest: hello.digest,
            generation: hello.generation,
        };
        Ok(self.proceed())
    }

    /// Takes in what the data plane holds.
    ///
    /// # Errors
    ///
    /// If it was not asked.
    pub(crate) fn on_holdings(&mut self, held: &Holdings) -> Result<Messages, Violation> {
        if !matches!(self.phase, Phase::Asked) {
            return Err(Violation::UnaskedHoldings);
        }
        self.held = Held::from(held);
        self.phase = Phase::Settled;
        Ok(self.proceed())
    }

    /// Takes in that a delta was applied whole.
    ///
    /// # Errors
    ///
    /// If that generation is not in flight.
    pub(crate) fn on_ack(&mut self, generation: u64) -> Result<Messages, Violation> {
        let applied = self.take_in_flight("Ack", generation)?;
        self.settle(applied, &[]);
        Ok(self.proceed())
    }

    /// Takes in that a delta was applied but for some resources: they are not recorded as held, so an older version that
    /// is still held goes on being known, and they are not sent again until they change.
    ///
    /// # Errors
    ///
    /// If that generation is not in flight, or did not bring what is refused.
    pub(crate) fn on_nack(&mut self, nack: wire::Nack) -> Result<Messages, Violation> {
        let generation = nack.generation;
        let mut applied = self.take_in_flight("Nack", generation)?;
        if nack.refused.is_empty() {
            return Err(Violation::EmptyNack(generation));
        }
        let mut refused = Vec::new();
        for refusal in nack.refused {
            let key = refusal.key.unwrap_or_default();
            let known = ResourceKey::try_from(&key).ok();
            let sent = known.and_then(|key| applied.sent.remove_entry(&key));
            let Some((key, version)) = sent else {
                return Err(Violation::UnsentRefused {
                    generation,
                    kind: key.kind,
                    name: key.name,
                });
            };
            refused.push(key.clone());
            let reason = refusal.reason;
            self.refused.insert(key, Refused { version, reason });
        }
        self.forget_refused();
        self.settle(applied, &refused);
        Ok(self.proceed())
    }

    /// Takes in what is published now. While a delta is in flight it only counts once that is answered, so a slow data
    /// plane gets several publications as one delta.
    pub(crate) fn on_published(&mut self, publication: Arc<Publication>) -> Messages {
        self.latest = Some(publication);
        self.forget_refused();
        self.proceed()
    }

    /// Returns how far the data plane is.
    pub(crate) const fn progress(&self) -> Progress {
        self.progress
    }

    /// Returns what the data plane refuses of what is published.
    pub(crate) const fn refused(&self) -> &BTreeMap<ResourceKey, Refused> {
        &self.refused
    }

    fn proceed(&mut self) -> Messages {
        let Some(latest) = self.latest.clone() else {
            return Vec::new();
        };
        match self.phase {
            // A generation "never goes backwards for a node": the publisher was told of the higher one and follows.
            Phase::Greeted { generation, .. } if generation > latest.generation => Vec::new(),
            // The delta is empty, and says that what the data plane holds is current: until it hears that, its endpoints
            // may be stale.
            Phase::Greeted { digest, .. } if digest == latest.digest() => {
                self.held = Held::from(latest.snapshot().clone());
                self.send(&latest)
            }
            Phase::Greeted { .. } => {
                self.phase = Phase::Asked;
                let request = wire::HoldingsRequest {};
                vec![message(
                    wire::control_plane_message::Message::HoldingsRequest(request),
                )]
            }
            // The number alone may have changed: then the delta is empty, but the data plane knows the number.
            Phase::Settled if latest.generation != self.progress.told => self.send(&latest),
            Phase::Silent | Phase::Asked | Phase::Settled | Phase::InFlight(_) => Vec::new(),
        }
    }

    fn send(&mut self, latest: &Publication) -> Messages {
        let mut difference = self.held.lacks(latest.snapshot());
        // What was refused in just this version stays refused.
        let withheld = (difference.upserted)
            .extract_if(.., |(key, _)| self.refused.contains_key(key))
            .map(|(key, _)| key)
            .collect();
        let sent = difference.upserted.iter();
        self.phase = Phase::InFlight(InFlight {
            generation: latest.generation,
            snapshot: latest.snapshot().clone(),
            sent: sent
                .map(|(key, entry)| (key.clone(), entry.version()))
                .collect(),
            withheld,
        });
        self.progress.told = latest.generation;
        let deltas = difference.into_wire(latest.generation, CHUNK_BYTES);
        deltas
            .into_iter()
            .map(|delta| message(wire::control_plane_message::Message::Delta(delta)))
            .collect()
    }

    fn take_in_flight(
        &mut self,
        answer: &'static str,
        generation: u64,
    ) -> Result<InFlight, Violation> {
        match std::mem::replace(&mut self.phase, Phase::Settled) {
            Phase::InFlight(in_flight) if in_flight.generation == generation => Ok(in_flight),
            Phase::Silent => Err(Violation::BeforeHello(answer)),
            Phase::InFlight(in_flight) => Err(Violation::NotInFlight {
                answer,
                generation,
                sent: Some(in_flight.generation),
            }),
            Phase::Greeted { .. } | Phase::Asked | Phase::Settled => Err(Violation::NotInFlight {
                answer,
                generation,
                sent: None,
            }),
        }
    }

    // A refusal counts for one version: of what has changed or gone since, nothing is refused.
    fn forget_refused(&mut self) {
        let latest = self.latest.as_deref().map(Publication::snapshot);
        self.refused.retain(|key, refused| {
            let entry = latest.and_then(|snapshot| snapshot.entry(key));
            entry.is_some_and(|entry| entry.version() == refused.version)
        });
    }

    fn settle(&mut self, applied: InFlight, refused: &[ResourceKey]) {
        let but_for = applied.withheld.iter().chain(refused);
        self.held.brought_to(applied.snapshot, but_for);
        self.progress.acked = applied.generation;
        self.phase = Phase::Settled;
    }
}

const fn message(message: wire::control_plane_message::Message) -> wire::ControlPlaneMessage {
    wire::ControlPlaneMessage {
        message: Some(message),
    }
}

fn in_flight(sent: Option<u64>) -> String {
    sent.map_or_else(String::new, |sent| format!("; generation {sent} is"))
}

/// Of the bodies in one message: gRPC implementations take 4 MiB by default, and one resource may come on top.
const CHUNK_BYTES: usize = 1 << 20;

#[cfg(test)]
mod tests;
