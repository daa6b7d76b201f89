//! The part of the process that has the sockets: it offers them to whoever proves to be a data plane of this node, stops
//! accepting when that one serves, and accepts again if it is gone too soon.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::{pending, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::hand_over::birth::Birth;
use crate::hand_over::channel::{Broken, Channel};
use crate::hand_over::greet::Failure;
use crate::hand_over::holder::{Act, Holder, PeerId};
use crate::hand_over::message::{Body, Empty, Purpose};
use crate::hand_over::session::{Event, Say, Session};
use crate::hand_over::status::Peer;
use crate::hand_over::{BEAT, Keep, Own, Part};

/// Holds the sockets until this process ends.
pub(super) async fn hold(
    own: &Arc<Own>,
    listener: UnixListener,
    predecessor: Option<Channel>,
    keep: Keep,
    mut leaving: watch::Receiver<bool>,
) -> Infallible {
    let (events, mut told) = mpsc::channel(QUEUE);
    let mut hold = Hold {
        own,
        keep,
        listener: Some(listener),
        holder: Holder::new(own.birth),
        peers: BTreeMap::new(),
        next: 0,
        tasks: JoinSet::new(),
        events,
        taken: Vec::new(),
        let_go: false,
        refusal_logged: None,
    };
    let mut predecessor = predecessor;
    let mut beats = interval(BEAT);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        hold.publish();
        tokio::select! {
            stream = accepted(&hold.listener), if hold.holder.is_asked() => hold.admit(stream),
            Some((peer, event)) = told.recv() => hold.hear(peer, event).await,
            () = left(&mut leaving), if !hold.holder.is_leaving() => {
                let acts = hold.holder.leave(own.serves());
                hold.act(acts).await;
                // The one before this may still be there, with its copies: it accepts again as soon as it hears no more of
                // this one. (An update that is taken back.)
                if hold.holder.successor().is_none() {
                    predecessor = None;
                }
            }
            received = heard(&mut predecessor) => match received {
                Ok(Body::Bye(_)) => {
                    own.edge.unshared();
                    predecessor = None;
                }
                Ok(_) => {}
                Err(_) => predecessor = None,
            },
            _ = beats.tick() => if let Some(channel) = &predecessor
                && channel.send(Body::Beat(Empty {})).await.is_err() {
                predecessor = None;
            },
        }
    }
}

struct Hold<'a> {
    own: &'a Arc<Own>,
    keep: Keep,
    // Where others find this process; `None` once it has let go.
    listener: Option<UnixListener>,
    holder: Holder,
    peers: BTreeMap<PeerId, Connected>,
    next: PeerId,
    // They end with this.
    tasks: JoinSet<()>,
    events: mpsc::Sender<(PeerId, Event)>,
    // What the successor accepts on.
    taken: Vec<SocketAddr>,
    let_go: bool,
    refusal_logged: Option<Instant>,
}

struct Connected {
    // Dropping it ends the session.
    says: mpsc::Sender<Say>,
    task: tokio::task::AbortHandle,
    greeted: Option<Peer>,
}

impl Hold<'_> {
    fn admit(&mut self, stream: UnixStream) {
        while self.tasks.try_join_next().is_some() {}
        // A crowd that says nothing must not keep a data plane out.
        if self.peers.len() >= MOST_PEERS {
            let mut strangers = self.peers.iter().filter(|(_, peer)| peer.greeted.is_none());
            let Some(oldest) = strangers.next().map(|(peer, _)| *peer) else {
                return;
            };
            if let Some(oldest) = self.peers.remove(&oldest) {
                oldest.task.abort();
            }
            self.own.metrics.refused.inc();
        }
        let peer = self.next;
        self.next += 1;
        let (says, said) = mpsc::channel(QUEUE);
        let session = Session {
            own: Arc::clone(self.own),
            keep: Arc::clone(&self.keep),
            peer,
            says: said,
            events: self.events.clone(),
        };
        let task = self.tasks.spawn(session.run(stream));
        let connected = Connected {
            says,
            task,
            greeted: None,
        };
        self.peers.insert(peer, connected);
    }

    async fn hear(&mut self, peer: PeerId, event: Event) {
        let serves = self.own.serves();
        let acts = match event {
            Event::Greeted(greeting) => {
                let Some(connected) = self.peers.get_mut(&peer) else {
                    return;
                };
                let birth = Birth {
                    unix_ns: greeting.birth_unix_ns,
                    random: greeting.birth_random,
                };
                tracing::info!(
                    instance = greeting.instance,
                    version = greeting.build_version,
                    "another data plane of this node wants the listening sockets"
                );
                connected.greeted = Some(Peer::of(greeting));
                vec![self.holder.greeted(peer, birth, serves)]
            }
            Event::Takes => vec![self.holder.takes(peer, serves)],
            Event::Serves(addresses) => {
                let addresses = addresses.iter().filter_map(|address| address.parse().ok());
                self.taken = addresses.collect();
                self.holder.serves(peer)
            }
            Event::Refused(failure) => {
                self.peers.remove(&peer);
                self.count(&failure);
                return;
            }
            Event::Gone(failure) => {
                self.peers.remove(&peer);
                if let Some(failure) = failure {
                    tracing::debug!(why = %failure, "the connection of another data plane of this node ended");
                }
                self.holder.gone(peer, serves)
            }
        };
        self.act(acts).await;
    }

    async fn act(&mut self, acts: Vec<Act>) {
        for act in acts {
            match act {
                Act::Offer(peer) => self.say(peer, Say::Offer),
                Act::Wait(peer, why) => self.say(peer, Say::Wait(why)),
                Act::Give(peer) => match self.sockets() {
                    Ok(sockets) => self.say(peer, Say::Give(sockets)),
                    Err(error) => {
                        tracing::error!(%error, "the sockets cannot be handed over; raise the limit of open files");
                        self.end(peer);
                    }
                },
                Act::Close(peer) => self.end(peer),
                Act::Stop(peer) => self.stop(peer),
                Act::Keep => self.own.edge.accept_again(),
                Act::Resume => {
                    tracing::warn!("the data plane that took over is gone; this one accepts again");
                    self.own.edge.accept_again();
                    if let Some(port) = &self.own.metrics_port {
                        port.accept_again();
                    }
                }
                Act::LetGo(peer) => {
                    self.own.edge.let_go().await;
                    if let Some(port) = &self.own.metrics_port {
                        port.let_go();
                    }
                    self.listener = None;
                    self.let_go = true;
                    self.say(peer, Say::Bye);
                }
            }
        }
    }

    fn stop(&self, peer: PeerId) {
        self.own.edge.stop_accepting(&self.taken);
        if let Some(port) = &self.own.metrics_port {
            port.stop_accepting(&self.taken);
        }
        self.own.metrics.given.inc();
        let instance = self.peer(Some(peer)).map(|peer| peer.instance);
        tracing::info!(
            instance,
            "another data plane serves on the listening sockets; this one accepts no more"
        );
    }

    fn sockets(&self) -> io::Result<Vec<(Purpose, OwnedFd)>> {
        let mut sockets = Vec::new();
        for listener in self.own.edge.give()? {
            sockets.push((Purpose::Listener, listener.into()));
        }
        if let Some(metrics) = self.own.metrics_port.as_ref().and_then(|port| port.give()) {
            sockets.push((Purpose::Metrics, metrics.into()));
        }
        if let Some(listener) = &self.listener {
            sockets.push((Purpose::HandOver, listener.as_fd().try_clone_to_owned()?));
        }
        Ok(sockets)
    }

    fn say(&mut self, peer: PeerId, say: Say) {
        let said = self
            .peers
            .get(&peer)
            .map(|connected| connected.says.try_send(say));
        // It lets so much wait that it is as good as gone.
        if let Some(Err(_)) = said {
            self.end(peer);
        }
    }

    fn end(&mut self, peer: PeerId) {
        // The session ends when nobody can tell it anything any more, and says so.
        if let Some(connected) = self.peers.get_mut(&peer) {
            connected.says = mpsc::channel(1).0;
        }
    }

    fn count(&mut self, failure: &Failure) {
        self.own.metrics.refused.inc();
        let is_due = |logged: Instant| logged.elapsed() > BETWEEN_LOGS;
        if self.refusal_logged.is_none_or(is_due) {
            self.refusal_logged = Some(Instant::now());
            tracing::warn!(
                why = %failure,
                "somebody on this node asked for the listening sockets and was refused"
            );
        }
    }

    fn peer(&self, peer: Option<PeerId>) -> Option<Peer> {
        self.peers.get(&peer?)?.greeted.clone()
    }

    fn publish(&self) {
        let part = match (self.holder.is_asked(), self.let_go) {
            (true, false) => Part::Holder,
            (false, false) => Part::HandedOver,
            // It is over when the successor was told so.
            (false, true) => Part::HandedOver,
            (true, true) => Part::LetGo,
        };
        let peer = self.peer(self.holder.successor());
        let successors = self.holder.waiting();
        self.own.status.send_if_modified(|status| {
            let changed =
                (status.part, &status.peer, status.successors) != (part, &peer, successors);
            status.enter(part, peer);
            status.successors = successors;
            changed
        });
    }
}

async fn accepted(listener: &Option<UnixListener>) -> UnixStream {
    poll_fn(
        |cx| match listener.as_ref().map(|listener| listener.poll_accept(cx)) {
            Some(Poll::Ready(Ok((stream, _)))) => Poll::Ready(stream),
            // Out of descriptors, most likely: it is tried again at the next beat.
            _ => Poll::Pending,
        },
    )
    .await
}

async fn left(leaving: &mut watch::Receiver<bool>) {
    // Its sender ends with the process.
    let _ = leaving.wait_for(|leaving| *leaving).await;
}

async fn heard(predecessor: &mut Option<Channel>) -> Result<Body, Broken> {
    match predecessor {
        Some(channel) => channel.receive().await,
        None => pending().await,
    }
}

const QUEUE: usize = 16;
const MOST_PEERS: usize = 16;
const BETWEEN_LOGS: Duration = Duration::from_secs(10);
