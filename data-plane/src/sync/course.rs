//! Decides where the next stream goes: no I/O, and no clock.
//!
//! Nodes follow the leader: whoever is connected to may name another replica. Such a redirect is no failure, and is
//! followed at once; but replicas that disagree must not send a data plane to and fro for ever.

use std::net::SocketAddr;
use std::time::Duration;

/// Where the next stream goes.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Heading {
    /// The leader's address; `None` for the address that the data plane was given.
    pub(crate) leader: Option<SocketAddr>,
    /// Who sent it to ask others: asked only if nobody else answers.
    pub(crate) avoid: Option<SocketAddr>,
    /// Whether whoever answers is asked to serve, leader or not.
    pub(crate) leader_unreachable: bool,
}

/// The way so far.
#[derive(Debug, Default)]
pub(crate) struct Course {
    heading: Heading,
    redirects: u32,
}

/// When the next stream is opened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Next {
    AtOnce,
    AfterAWhile,
}

impl Course {
    pub(crate) fn heading(&self) -> &Heading {
        &self.heading
    }

    /// Takes in that `from` sent it to this address, after the stream had lasted so long.
    pub(crate) fn redirected(
        &mut self,
        address: &str,
        from: Option<SocketAddr>,
        lasted: Duration,
    ) -> Next {
        if lasted >= LONG {
            self.redirects = 0;
        }
        self.redirects += 1;
        if self.redirects > MOST_REDIRECTS {
            self.heading = Heading {
                leader_unreachable: true,
                ..Heading::default()
            };
            return Next::AfterAWhile;
        }
        let leader = address.parse().ok();
        self.heading = Heading {
            leader,
            avoid: from.filter(|_| leader.is_none()),
            leader_unreachable: false,
        };
        Next::AtOnce
    }

    /// Takes in that there is no stream, or no more, after it had lasted so long.
    pub(crate) fn failed(&mut self, lasted: Duration) -> Next {
        if lasted >= LONG {
            // The next one is asked who leads.
            *self = Self::default();
            return Next::AfterAWhile;
        }
        let was_leader = self.heading.leader.is_some();
        self.heading = Heading {
            leader_unreachable: was_leader || self.heading.leader_unreachable,
            ..Heading::default()
        };
        if was_leader {
            Next::AtOnce
        } else {
            Next::AfterAWhile
        }
    }
}

/// To the leader that one replica knows, back for want of it, and once more.
const MOST_REDIRECTS: u32 = 3;
/// A stream that lasted so long was one that served.
const LONG: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, last], 8443))
    }

    #[test]
    fn a_redirect_is_followed_at_once() {
        let mut course = Course::default();
        assert_eq!(course.heading(), &Heading::default());
        let next = course.redirected("10.0.0.2:8443", Some(address(1)), Duration::ZERO);
        assert_eq!(next, Next::AtOnce);
        let heading = course.heading().clone();
        assert_eq!((heading.leader, heading.avoid), (Some(address(2)), None));
        assert!(!heading.leader_unreachable);
    }

    #[test]
    fn without_an_address_others_are_asked_first() {
        for nobody in ["", "not an address"] {
            let mut course = Course::default();
            let next = course.redirected(nobody, Some(address(1)), Duration::ZERO);
            assert_eq!(next, Next::AtOnce);
            let heading = course.heading().clone();
            assert_eq!((heading.leader, heading.avoid), (None, Some(address(1))));
        }
    }

    #[test]
    fn whoever_cannot_reach_the_leader_says_so_until_somebody_serves() {
        let mut course = Course::default();
        course.redirected("10.0.0.2:8443", None, Duration::ZERO);
        assert_eq!(course.failed(Duration::ZERO), Next::AtOnce);
        let unreachable = Heading {
            leader_unreachable: true,
            ..Heading::default()
        };
        assert_eq!(course.heading(), &unreachable);
        assert_eq!(course.failed(Duration::ZERO), Next::AfterAWhile);
        assert_eq!(course.heading(), &unreachable, "nobody answered yet");
        assert_eq!(course.failed(LONG), Next::AfterAWhile);
        assert_eq!(course.heading(), &Heading::default());
    }

    #[test]
    fn replicas_that_disagree_are_not_followed_for_ever() {
        let mut course = Course::default();
        let mut follow = |lasted| {
            let mut followed = 0;
            while followed < 100 && course.redirected("10.0.0.2:8443", None, lasted) == Next::AtOnce
            {
                followed += 1;
            }
            (followed, course.heading().clone())
        };
        let (followed, heading) = follow(Duration::ZERO);
        assert_eq!(followed, MOST_REDIRECTS);
        assert!(heading.leader_unreachable && heading.leader.is_none());
        assert_eq!(follow(LONG).0, 100, "each was served for a while");
    }
}
