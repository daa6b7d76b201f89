//! The part of the process that wants the sockets: it finds the one that has them, takes them when it can serve, and tells
//! the other then.
//!
//! Until it knows whose the sockets are, the edge opens none. As soon as there is nobody to take them from, or only somebody
//! who does not prove who he is, the edge binds its own; it is tried again each second all the same.

use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::time::Duration;

use socket2::SockRef;
use tokio::net::UnixListener;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use crate::causes::with_causes;
use crate::hand_over::channel::{Broken, Channel};
use crate::hand_over::greet::Failure;
use crate::hand_over::meet::{Link, Met, meet};
use crate::hand_over::message::{Body, Empty, Purpose, Serving};
use crate::hand_over::status::{Peer, name_taken};
use crate::hand_over::successor::Successor;
use crate::hand_over::{BEAT, Own, Part, SILENCE, socket};

#[derive(Default)]
struct Sockets {
    listeners: Vec<TcpListener>,
    metrics: Option<TcpListener>,
    meeting: Option<UnixListener>,
}

/// Returns where this process is found from now on, when the sockets are its own: taken from another, whose connection comes
/// along, or bound.
pub(super) async fn take_over(
    own: &Own,
    met: Result<Met, Failure>,
) -> (UnixListener, Option<Channel>) {
    let mut met = met;
    let mut failures = 0;
    loop {
        let failed = match met {
            Ok(Met::Nobody) => match socket::bind(&own.name) {
                Ok(listener) => {
                    own.note(None);
                    own.release();
                    return (listener, None);
                }
                // Another process was faster: it is asked. (Not twice: a name can be held without listening.)
                Err(_) if failures == 0 => {
                    failures = 1;
                    None
                }
                Err(error) => Some(Broken::Failed(error).into()),
            },
            Ok(Met::Predecessor(link)) => {
                own.note(None);
                failures = 0;
                match follow(own, *link).await {
                    Ok(Some(taken)) => return taken,
                    Ok(None) => None,
                    Err(why) => Some(why),
                }
            }
            Err(why) => Some(why),
        };
        match failed {
            // Whoever it was has ended, or another is asked now.
            None => sleep(AT_ONCE).await,
            Some(why) => {
                failures += 1;
                alone(own, &why, failures);
                sleep(AGAIN).await;
            }
        }
        met = meet(own, false).await;
    }
}

fn alone(own: &Own, why: &Failure, failures: u32) {
    let why = with_causes(why);
    own.status.send_if_modified(|status| {
        let changed = status.part != Part::Alone;
        status.enter(Part::Alone, None);
        changed
    });
    // Once may be chance: a process that is about to end, or to bind.
    if failures == TO_REPORT {
        tracing::warn!(
            name = own.name,
            why,
            "no hand-over on this node; it is tried again each second"
        );
    }
    if failures >= TO_REPORT {
        own.note(Some(name_taken(&own.node, &own.name, &why)));
    }
    own.release();
}

/// Waits for the sockets, takes them, and serves on them. Returns `None` if the other process has ended.
async fn follow(own: &Own, link: Link) -> Result<Option<(UnixListener, Option<Channel>)>, Failure> {
    let Link { mut channel, peer } = link;
    tracing::info!(
        instance = peer.instance,
        version = peer.build_version,
        "another data plane serves this node"
    );
    let Some(mut sockets) = receive_sockets(own, &mut channel, &peer).await? else {
        return Ok(None);
    };
    let listener = sockets.meeting.take().ok_or(Failure::Withheld)?;
    let predecessor = serve(own, channel, sockets, peer).await;
    Ok(Some((listener, predecessor)))
}

async fn receive_sockets(
    own: &Own,
    channel: &mut Channel,
    peer: &Peer,
) -> Result<Option<Sockets>, Failure> {
    let mut successor = Successor::new();
    let mut sockets = Sockets::default();
    let mut asked = None;
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut beat = Instant::now();
    own.enter(Part::TakingOver, Some(peer));
    loop {
        tokio::select! {
            biased;
            received = channel.receive() => match received {
                Ok(Body::Offer(_)) => {
                    successor.offered();
                    own.enter(Part::TakingOver, Some(peer));
                }
                Ok(Body::Wait(why)) => {
                    successor.told_to_wait(why.try_into().unwrap_or_default());
                    let part = if successor.is_standby() { Part::Standby } else { Part::TakingOver };
                    own.enter(part, Some(peer));
                    asked = None;
                }
                Ok(Body::Socket(socket)) => sockets.add(own, socket.purpose(), channel.descriptor()?),
                Ok(Body::Handed(_)) => return Ok(Some(sockets)),
                Ok(Body::Bye(_)) | Err(Broken::Closed) => return Ok(None),
                Ok(_) => {}
                Err(broken) => return Err(broken.into()),
            },
            _ = looks.tick() => {
                if channel.silent() > SILENCE {
                    return Err(Failure::Stopped);
                }
                if asked.is_some_and(|asked: Instant| asked.elapsed() > SILENCE) {
                    return Err(Failure::Withheld);
                }
                if successor.asks(|| !own.edge.snapshot().is_empty()) {
                    asked = Some(Instant::now());
                    channel.send(Body::Take(Empty {})).await?;
                }
                keep_alive(channel, &mut beat).await?;
            }
        }
    }
}

// From here on the sockets are this process's, too, whatever becomes of the other, whose connection it returns.
async fn serve(own: &Own, mut channel: Channel, sockets: Sockets, peer: Peer) -> Option<Channel> {
    let taken = own.take(sockets.listeners, sockets.metrics);
    own.enter(Part::Holder, Some(&peer));
    let addresses = taken.iter().map(ToString::to_string).collect();
    let serving = Body::Serving(Serving { addresses });
    match serving_said(own, &mut channel, serving).await {
        Ok(()) => {
            own.metrics.taken.inc();
            tracing::info!(
                instance = peer.instance,
                sockets = taken.len(),
                "took over the listening sockets and serves"
            );
            Some(channel)
        }
        Err(broken) => {
            tracing::info!(
                instance = peer.instance,
                why = with_causes(&broken),
                "the data plane that handed over its sockets is gone"
            );
            None
        }
    }
}

async fn serving_said(own: &Own, channel: &mut Channel, serving: Body) -> Result<(), Broken> {
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut beat = Instant::now();
    loop {
        tokio::select! {
            biased;
            received = channel.receive() => if let Body::Bye(_) = received? {
                own.edge.unshared();
                return Err(Broken::Closed);
            },
            _ = looks.tick() => {
                if own.serves() {
                    return channel.send(serving).await;
                }
                keep_alive(channel, &mut beat).await?;
            }
        }
    }
}

async fn keep_alive(channel: &Channel, beat: &mut Instant) -> Result<(), Broken> {
    if beat.elapsed() >= BEAT {
        *beat = Instant::now();
        channel.send(Body::Beat(Empty {})).await?;
    }
    Ok(())
}

impl Sockets {
    // What is no listening socket, or for a purpose of a later build, is closed.
    fn add(&mut self, own: &Own, purpose: Purpose, descriptor: OwnedFd) {
        if !SockRef::from(&descriptor).is_listener().unwrap_or(false) {
            return;
        }
        match purpose {
            Purpose::Listener => self.listeners.push(descriptor.into()),
            Purpose::Metrics => self.metrics = Some(descriptor.into()),
            Purpose::HandOver => self.meeting = socket::adopt(descriptor, &own.name),
            Purpose::Unknown => {}
        }
    }
}

impl Own {
    fn take(&self, listeners: Vec<TcpListener>, metrics: Option<TcpListener>) -> Vec<SocketAddr> {
        let mut taken = self.edge.take_over(listeners);
        if let Some(port) = &self.metrics_port {
            taken.extend(metrics.and_then(|socket| port.take_over(socket)));
            port.release();
        }
        taken
    }

    fn enter(&self, part: Part, peer: Option<&Peer>) {
        self.status
            .send_modify(|status| status.enter(part, peer.cloned()));
    }
}

/// How soon the next is looked for when one has ended.
const AT_ONCE: Duration = Duration::from_millis(20);
const AGAIN: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_millis(20);
const TO_REPORT: u32 = 2;
