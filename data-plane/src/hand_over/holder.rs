//! What the process that has the sockets does about those that want them: decisions, without any I/O or clock.
//!
//! One successor at a time. Until it says that it serves, the holder accepts; from then on it does not, and does again if
//! that connection ends before the holder was told to stop.

use std::collections::BTreeMap;

use crate::hand_over::birth::Birth;
use crate::hand_over::message::Why;

/// The successors of one holder.
#[derive(Debug)]
pub(super) struct Holder {
    birth: Birth,
    leaving: bool,
    peers: BTreeMap<PeerId, Birth>,
    stage: Stage,
}

/// A connection of a successor that has proved who it is.
pub(super) type PeerId = u64;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stage {
    // Nobody has the sockets but this process.
    Alone,
    // This one has copies of the sockets, and may accept.
    Taking(PeerId),
    // This one serves: this process does not accept.
    HandedOver(PeerId),
}

/// What is to be done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Act {
    /// Tell it that it may take the sockets.
    Offer(PeerId),
    /// Tell it why not yet.
    Wait(PeerId, Why),
    /// Give it the sockets.
    Give(PeerId),
    /// End its connection: it will find who has the sockets now.
    Close(PeerId),
    /// Stop accepting what this one has taken.
    Stop(PeerId),
    /// The one that was about to take over is gone: nothing is to be left to it any more.
    Keep,
    /// Accept again.
    Resume,
    /// Close all copies of the sockets, and tell it then.
    LetGo(PeerId),
}

impl Holder {
    pub(super) const fn new(birth: Birth) -> Self {
        Self {
            birth,
            leaving: false,
            peers: BTreeMap::new(),
            stage: Stage::Alone,
        }
    }

    /// Returns whether it is this process whom a successor asks.
    pub(super) const fn is_asked(&self) -> bool {
        !matches!(self.stage, Stage::HandedOver(_))
    }

    /// Returns whether this process was told to stop.
    pub(super) const fn is_leaving(&self) -> bool {
        self.leaving
    }

    /// Returns whose turn it is: who serves, or else who is about to.
    pub(super) const fn successor(&self) -> Option<PeerId> {
        match self.stage {
            Stage::Alone => None,
            Stage::Taking(peer) | Stage::HandedOver(peer) => Some(peer),
        }
    }

    /// Returns how many wait to take over.
    pub(super) fn waiting(&self) -> usize {
        self.peers.len() - usize::from(!self.is_asked())
    }

    /// A successor has proved who it is.
    pub(super) fn greeted(&mut self, peer: PeerId, birth: Birth, serves: bool) -> Act {
        if !self.is_asked() {
            return Act::Close(peer);
        }
        self.peers.insert(peer, birth);
        self.answer(peer, birth, serves)
    }

    /// A successor wants the sockets now.
    pub(super) fn takes(&mut self, peer: PeerId, serves: bool) -> Act {
        let Some(birth) = self.peers.get(&peer).copied().filter(|_| self.is_asked()) else {
            return Act::Close(peer);
        };
        match self.answer(peer, birth, serves) {
            Act::Offer(_) => {
                self.stage = Stage::Taking(peer);
                Act::Give(peer)
            }
            other => other,
        }
    }

    /// A successor serves.
    pub(super) fn serves(&mut self, peer: PeerId) -> Vec<Act> {
        if self.stage == Stage::HandedOver(peer) {
            return Vec::new();
        }
        if self.stage != Stage::Taking(peer) {
            self.peers.remove(&peer);
            return vec![Act::Close(peer)];
        }
        self.stage = Stage::HandedOver(peer);
        let mut acts = vec![Act::Stop(peer)];
        let others = self.peers.keys().filter(|other| **other != peer);
        acts.extend(others.map(|other| Act::Close(*other)));
        self.peers.retain(|other, _| *other == peer);
        if self.leaving {
            acts.push(Act::LetGo(peer));
        }
        acts
    }

    /// A successor's connection has ended.
    pub(super) fn gone(&mut self, peer: PeerId, serves: bool) -> Vec<Act> {
        self.peers.remove(&peer);
        if self.successor() != Some(peer) {
            return Vec::new();
        }
        let handed_over = !self.is_asked();
        self.stage = Stage::Alone;
        if handed_over {
            return if self.leaving {
                Vec::new()
            } else {
                vec![Act::Resume]
            };
        }
        let mut acts = vec![Act::Keep];
        acts.extend(self.answer_all(serves));
        acts
    }

    /// This process was told to stop.
    pub(super) fn leave(&mut self, serves: bool) -> Vec<Act> {
        self.leaving = true;
        match self.stage {
            Stage::HandedOver(peer) => vec![Act::LetGo(peer)],
            Stage::Alone => self.answer_all(serves),
            Stage::Taking(_) => Vec::new(),
        }
    }

    fn answer_all(&self, serves: bool) -> Vec<Act> {
        let peers = self.peers.iter();
        peers
            .map(|(peer, birth)| self.answer(*peer, *birth, serves))
            .collect()
    }

    fn answer(&self, peer: PeerId, birth: Birth, serves: bool) -> Act {
        match self.stage {
            Stage::Taking(other) | Stage::HandedOver(other) if other != peer => {
                Act::Wait(peer, Why::Another)
            }
            // An old container that was restarted in the middle of an update would take the sockets back, only to be
            // stopped next.
            _ if birth < self.birth && serves && !self.leaving => Act::Wait(peer, Why::Newer),
            _ => Act::Offer(peer),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, VecDeque};

    use proptest::prelude::*;

    use super::*;

    const fn born(unix_ns: u64) -> Birth {
        Birth { unix_ns, random: 0 }
    }

    fn holder() -> Holder {
        Holder::new(born(10))
    }

    fn handed_over() -> Holder {
        let mut holder = holder();
        holder.greeted(1, born(11), true);
        holder.takes(1, true);
        assert_eq!(holder.serves(1), [Act::Stop(1)]);
        holder
    }

    #[test]
    fn a_newer_one_takes_over_step_by_step() {
        let mut holder = holder();
        assert_eq!(holder.greeted(1, born(11), true), Act::Offer(1));
        assert_eq!(holder.takes(1, true), Act::Give(1));
        assert!(holder.is_asked());
        assert_eq!(holder.serves(1), [Act::Stop(1)]);
        assert!(!holder.is_asked());
        assert_eq!(holder.leave(true), [Act::LetGo(1)]);
    }

    #[test]
    fn an_older_one_waits_while_this_one_serves_and_until_it_leaves() {
        let mut holder = holder();
        assert_eq!(holder.greeted(1, born(9), true), Act::Wait(1, Why::Newer));
        assert_eq!(holder.takes(1, true), Act::Wait(1, Why::Newer));
        assert_eq!(holder.leave(true), [Act::Offer(1)]);
        assert_eq!(holder.takes(1, true), Act::Give(1));
        assert_eq!(holder.serves(1), [Act::Stop(1), Act::LetGo(1)]);
        // One that does not serve has nothing to keep.
        assert_eq!(
            Holder::new(born(10)).greeted(1, born(9), false),
            Act::Offer(1)
        );
        // The process before this one in the same pod.
        assert_eq!(
            Holder::new(born(10)).greeted(1, born(10), true),
            Act::Offer(1)
        );
    }

    #[test]
    fn a_successor_that_dies_first_costs_nothing_and_one_that_dies_after_gives_back() {
        let mut holder = holder();
        holder.greeted(1, born(11), true);
        holder.takes(1, true);
        assert_eq!(holder.gone(1, true), [Act::Keep]);
        assert!(holder.is_asked());
        assert_eq!(handed_over().gone(1, true), [Act::Resume]);
        let mut leaving = handed_over();
        leaving.leave(true);
        assert_eq!(leaving.gone(1, true), []);
    }

    #[test]
    fn the_second_of_two_waits_and_then_asks_the_first() {
        let mut holder = holder();
        holder.greeted(1, born(11), true);
        assert_eq!(holder.greeted(2, born(12), true), Act::Offer(2));
        holder.takes(1, true);
        assert_eq!(holder.takes(2, true), Act::Wait(2, Why::Another));
        assert_eq!(
            holder.greeted(3, born(13), true),
            Act::Wait(3, Why::Another)
        );
        assert_eq!(
            holder.serves(1),
            [Act::Stop(1), Act::Close(2), Act::Close(3)]
        );
        assert_eq!(holder.greeted(4, born(14), true), Act::Close(4));
        assert_eq!(holder.waiting(), 0);
    }

    #[test]
    fn the_second_of_two_is_next_if_the_first_dies() {
        let mut holder = holder();
        holder.greeted(1, born(11), true);
        holder.greeted(2, born(12), true);
        holder.takes(1, true);
        assert_eq!(holder.gone(1, true), [Act::Keep, Act::Offer(2)]);
        assert_eq!(holder.takes(2, true), Act::Give(2));
    }

    #[test]
    fn who_did_not_take_does_not_serve() {
        let mut holder = holder();
        holder.greeted(1, born(11), true);
        assert_eq!(holder.serves(1), [Act::Close(1)]);
        assert_eq!(holder.takes(1, true), Act::Close(1));
        assert!(holder.is_asked());
    }

    proptest! {
        // Whatever peers do, somebody accepts: this process, or one that said that it serves and is connected.
        #[test]
        fn somebody_always_accepts(steps in prop::collection::vec((0_u8..4, 0_u64..4, 0_u64..20), 0..60)) {
            let mut holder = holder();
            let mut accepts = true;
            let mut connected = BTreeSet::new();
            for (step, peer, birth) in steps {
                let mut acts = VecDeque::from(match step {
                    0 if connected.insert(peer) => vec![holder.greeted(peer, born(birth), true)],
                    1 if connected.contains(&peer) => vec![holder.takes(peer, true)],
                    2 if connected.contains(&peer) => holder.serves(peer),
                    3 if connected.remove(&peer) => holder.gone(peer, true),
                    _ => vec![],
                });
                while let Some(act) = acts.pop_front() {
                    match act {
                        Act::Stop(_) => accepts = false,
                        Act::Resume => accepts = true,
                        Act::Close(peer) => {
                            connected.remove(&peer);
                            acts.extend(holder.gone(peer, true));
                        }
                        Act::Offer(_) | Act::Wait(..) | Act::Give(_) | Act::Keep | Act::LetGo(_) => {}
                    }
                }
                prop_assert_eq!(accepts, holder.is_asked());
                prop_assert!(accepts || holder.successor().is_some_and(|peer| connected.contains(&peer)));
            }
        }
    }
}
