//! What a process does about the one that has the sockets: decisions, without any I/O or clock.

use crate::hand_over::message::Why;

/// Where a successor stands with its predecessor.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Successor {
    /// It has heard nothing yet, or that it has to wait.
    Waiting(Option<Why>),
    /// It may take the sockets.
    Offered,
    /// It has asked for them.
    Asking,
}

impl Successor {
    pub(super) const fn new() -> Self {
        Self::Waiting(None)
    }

    /// The predecessor offers the sockets.
    pub(super) fn offered(&mut self) {
        if let Self::Waiting(_) = self {
            *self = Self::Offered;
        }
    }

    /// The predecessor keeps the sockets for now, whatever it said before.
    pub(super) const fn told_to_wait(&mut self, why: Why) {
        *self = Self::Waiting(Some(why));
    }

    /// Returns whether to ask for the sockets now: they are worth nothing to a process that has no snapshot to serve.
    pub(super) fn asks(&mut self, has_snapshot: impl FnOnce() -> bool) -> bool {
        let asks = *self == Self::Offered && has_snapshot();
        if asks {
            *self = Self::Asking;
        }
        asks
    }

    /// Returns whether a newer data plane serves.
    pub(super) const fn is_standby(self) -> bool {
        matches!(self, Self::Waiting(Some(Why::Newer)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_asks_once_when_it_has_a_snapshot_and_an_offer() {
        let mut successor = Successor::new();
        assert!(!successor.asks(|| true));
        successor.offered();
        assert!(!successor.asks(|| false));
        assert!(successor.asks(|| true));
        assert!(!successor.asks(|| true));
        successor.offered();
        assert!(!successor.asks(|| true), "it has asked already");
    }

    #[test]
    fn it_waits_when_told_to_and_asks_again_when_it_is_its_turn() {
        let mut successor = Successor::new();
        successor.offered();
        assert!(successor.asks(|| true));
        successor.told_to_wait(Why::Another);
        assert!(!successor.asks(|| true) && !successor.is_standby());
        successor.told_to_wait(Why::Newer);
        assert!(successor.is_standby());
        successor.offered();
        assert!(successor.asks(|| true));
    }
}
