//! One connection of a process that wants the sockets, on the side of the one that has them. It carries what [`super::hold`]
//! decides, and notices when the other end is gone.

use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;

use bytes::Bytes;
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use crate::hand_over::channel::{Broken, Channel};
use crate::hand_over::greet::{Failure, greet_successor};
use crate::hand_over::holder::PeerId;
use crate::hand_over::message::{Body, CHUNK, Empty, Greeting, Purpose, Snapshot, Socket, Why};
use crate::hand_over::{BEAT, Keep, Own, SILENCE};

/// What a session is told to say.
pub(super) enum Say {
    Offer,
    Wait(Why),
    Give(Vec<(Purpose, OwnedFd)>),
    /// That this process has no sockets any more; the session ends with it.
    Bye,
}

/// What a session tells.
pub(super) enum Event {
    /// The other end has proved who it is.
    Greeted(Greeting),
    /// It wants the sockets now.
    Takes,
    /// It serves on those at these addresses.
    Serves(Vec<String>),
    /// The session has ended: before the other end had proved who it is, or after.
    Refused(Failure),
    Gone(Option<Failure>),
}

/// One session.
pub(super) struct Session {
    pub(super) own: Arc<Own>,
    pub(super) keep: Keep,
    pub(super) peer: PeerId,
    pub(super) says: mpsc::Receiver<Say>,
    pub(super) events: mpsc::Sender<(PeerId, Event)>,
}

impl Session {
    /// Runs it to its end, of which it tells last.
    pub(super) async fn run(mut self, stream: UnixStream) {
        let mut channel = Channel::new(stream);
        let own = &self.own;
        let last = match greet_successor(&mut channel, &own.secrets, &own.greeting).await {
            Err(failure) => Event::Refused(failure),
            Ok(greeting) => Event::Gone(self.attend(&mut channel, greeting).await.err()),
        };
        self.tell(last).await;
    }

    async fn attend(&mut self, channel: &mut Channel, greeting: Greeting) -> Result<(), Failure> {
        if greeting.wants_snapshot {
            self.send_snapshot(channel).await?;
        }
        self.tell(Event::Greeted(greeting)).await;
        let mut beats = interval(BEAT);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                // A process that was stopped for a while hears first what it was told meanwhile.
                biased;
                received = channel.receive() => match received? {
                    Body::Take(_) => self.tell(Event::Takes).await,
                    Body::Serving(serving) => self.tell(Event::Serves(serving.addresses)).await,
                    _ => {}
                },
                say = self.says.recv() => match say {
                    None => return Ok(()),
                    Some(Say::Offer) => channel.send(Body::Offer(Empty {})).await?,
                    Some(Say::Wait(why)) => channel.send(Body::Wait(why.into())).await?,
                    Some(Say::Give(sockets)) => give(channel, sockets).await?,
                    Some(Say::Bye) => return Ok(channel.send(Body::Bye(Empty {})).await?),
                },
                _ = beats.tick() => {
                    if channel.silent() > SILENCE {
                        return Err(Failure::Stopped);
                    }
                    channel.send(Body::Beat(Empty {})).await?;
                }
            }
        }
    }

    async fn send_snapshot(&self, channel: &Channel) -> Result<(), Failure> {
        let endpoints_stale = self.own.edge.endpoints_stale();
        let (keep, disk_copy) = (Arc::clone(&self.keep), Arc::clone(&self.own.disk_copy));
        let sealing = tokio::task::spawn_blocking(move || {
            let kept = keep();
            // Nothing was ever accepted, and an empty snapshot would be served as 404.
            (!kept.snapshot.is_empty()).then(|| disk_copy.seal(&kept))
        });
        let sealed = match sealing.await {
            Ok(Some(Ok(sealed))) => Bytes::from(sealed),
            Ok(None) => Bytes::new(),
            Ok(Some(Err(error))) => {
                tracing::error!(%error, "the snapshot cannot be handed over");
                Bytes::new()
            }
            Err(error) => {
                tracing::error!(%error, "sealing the snapshot ended early");
                Bytes::new()
            }
        };
        let snapshot = Snapshot {
            bytes: sealed.len() as u64,
            endpoints_stale,
        };
        channel.send(Body::Snapshot(snapshot)).await?;
        for at in (0..sealed.len()).step_by(CHUNK) {
            let chunk = sealed.slice(at..sealed.len().min(at + CHUNK));
            channel.send(Body::Chunk(chunk)).await?;
        }
        Ok(())
    }

    async fn tell(&self, event: Event) {
        // Whoever listens ends with the process.
        let _ = self.events.send((self.peer, event)).await;
    }
}

async fn give(channel: &Channel, sockets: Vec<(Purpose, OwnedFd)>) -> Result<(), Broken> {
    for (purpose, socket) in sockets {
        let message = Body::Socket(Socket {
            purpose: purpose.into(),
        });
        channel.send_with(message, socket.as_fd()).await?;
    }
    channel.send(Body::Handed(Empty {})).await
}
