//! Decides to which replica one data plane belongs: no I/O, and no clock.
//!
//! Nodes follow the leader. Whoever could not reach it is served, and asked again after a while. A leader whose Lease
//! lapsed does not know whether another leads by now: it has each data plane ask the other replicas once, and serves
//! whoever comes back.

use std::time::Duration;

use tokio::time::Instant;

use crate::leadership::Leadership;

/// Where one data plane belongs, from its `Hello` on.
#[derive(Debug, Default)]
pub(crate) struct Guide {
    /// The leader that it could not reach, and since when it is served in its place.
    unreachable: Option<(Option<String>, Instant)>,
    /// When it is to ask the other replicas, while the own Lease has lapsed.
    ask: Option<Instant>,
}

/// What becomes of a data plane.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Turn {
    /// It is served here.
    Serve,
    /// It is to go there: "ip:port", or empty for wherever it is told to connect to.
    Redirect(String),
}

impl Guide {
    /// Takes in that it says Hello.
    pub(crate) fn on_hello(
        &mut self,
        leader_unreachable: bool,
        leadership: &Leadership,
        now: Instant,
    ) -> Turn {
        if leader_unreachable {
            self.unreachable = Some((address(leadership).map(str::to_owned), now));
        }
        if *leadership == Leadership::Lapsed {
            self.ask = Some(now + ASK_AGAIN);
        }
        self.look(leadership, now)
    }

    /// Takes in who leads now, or that [`Self::due`] has come.
    pub(crate) fn look(&mut self, leadership: &Leadership, now: Instant) -> Turn {
        if *leadership == Leadership::Lapsed {
            return match *self.ask.get_or_insert(now + ASK) {
                ask if ask <= now => Turn::Redirect(String::new()),
                _ => Turn::Serve,
            };
        }
        self.ask = None;
        match (address(leadership), &self.unreachable) {
            (None, _) => {
                self.unreachable = None;
                Turn::Serve
            }
            (Some(leader), Some((tried, since)))
                if tried.as_deref() == Some(leader) && now < *since + TRY_AGAIN =>
            {
                Turn::Serve
            }
            (Some(leader), _) => Turn::Redirect(leader.to_owned()),
        }
    }

    /// Returns when to look again, if nothing changes before.
    pub(crate) fn due(&self) -> Option<Instant> {
        let try_again = self
            .unreachable
            .as_ref()
            .map(|(_, since)| *since + TRY_AGAIN);
        self.ask.or(try_again)
    }
}

/// Returns where another replica leads.
fn address(leadership: &Leadership) -> Option<&str> {
    match leadership {
        Leadership::Following(leader) => leader.address.as_deref(),
        _ => None,
    }
}

/// The leader may be reachable again.
const TRY_AGAIN: Duration = Duration::from_secs(30);
/// Another replica takes the Lease within three seconds of its end, if it can.
const ASK: Duration = Duration::from_secs(5);
/// It was sent back, or chose this replica by itself.
const ASK_AGAIN: Duration = Duration::from_secs(300);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::leadership::Leader;

    fn led_by(address: Option<&str>) -> Leadership {
        Leadership::Following(Leader {
            holder: "a".to_owned(),
            address: address.map(str::to_owned),
        })
    }

    fn to(address: &str) -> Turn {
        Turn::Redirect(address.to_owned())
    }

    #[test]
    fn whoever_leads_or_knows_nobody_who_does_serves() {
        let now = Instant::now();
        for leadership in [
            Leadership::Alone,
            Leadership::Leading,
            Leadership::Unknown,
            led_by(None),
        ] {
            for unreachable in [false, true] {
                let turn = Guide::default().on_hello(unreachable, &leadership, now);
                assert_eq!(turn, Turn::Serve, "{leadership:?}");
            }
        }
    }

    #[test]
    fn whoever_follows_sends_to_the_leader() {
        let now = Instant::now();
        let mut guide = Guide::default();
        assert_eq!(guide.on_hello(false, &led_by(Some("a:1")), now), to("a:1"));
        let mut guide = Guide::default();
        assert_eq!(
            guide.on_hello(false, &Leadership::Leading, now),
            Turn::Serve
        );
        assert_eq!(guide.due(), None);
        assert_eq!(
            guide.look(&led_by(Some("a:1")), now),
            to("a:1"),
            "it stopped leading"
        );
    }

    #[test]
    fn who_cannot_reach_the_leader_is_served_and_tries_again() {
        let now = Instant::now();
        let leadership = led_by(Some("a:1"));
        let mut guide = Guide::default();
        assert_eq!(guide.on_hello(true, &leadership, now), Turn::Serve);
        assert_eq!(guide.due(), Some(now + TRY_AGAIN));
        assert_eq!(guide.look(&leadership, now + TRY_AGAIN / 2), Turn::Serve);
        assert_eq!(guide.look(&leadership, now + TRY_AGAIN), to("a:1"));
        // Nobody else leads any more: there is nothing to look again for.
        assert_eq!(
            guide.look(&Leadership::Leading, now + TRY_AGAIN),
            Turn::Serve
        );
        assert_eq!(guide.due(), None);
        // Another one it has not tried.
        assert_eq!(guide.look(&led_by(Some("b:1")), now), to("b:1"));
    }

    #[test]
    fn when_the_lease_lapses_each_asks_once_and_whoever_comes_back_is_served() {
        let now = Instant::now();
        let mut guide = Guide::default();
        assert_eq!(
            guide.on_hello(false, &Leadership::Leading, now),
            Turn::Serve
        );
        assert_eq!(guide.look(&Leadership::Lapsed, now), Turn::Serve, "not yet");
        assert_eq!(guide.due(), Some(now + ASK));
        assert_eq!(guide.look(&Leadership::Lapsed, now + ASK), to(""));
        let mut back = Guide::default();
        assert_eq!(
            back.on_hello(false, &Leadership::Lapsed, now + ASK),
            Turn::Serve
        );
        let later = now + ASK + ASK_AGAIN / 2;
        assert_eq!(back.look(&Leadership::Lapsed, later), Turn::Serve);
        // The Lease was renewed: nothing is asked any more.
        assert_eq!(back.look(&Leadership::Leading, later), Turn::Serve);
        assert_eq!(back.due(), None);
    }
}
