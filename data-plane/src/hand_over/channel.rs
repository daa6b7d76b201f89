//! One connection of a hand-over: messages both ways, and descriptors beside them (SCM_RIGHTS).
//!
//! It does not know what is said. Sizes and times are limited here, so that a peer can neither fill the memory nor make
//! anybody wait for ever.

use std::collections::VecDeque;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout};

use crate::hand_over::message::{Body, LIMIT, Malformed, STRANGERS_LIMIT};

/// One connection.
#[derive(Debug)]
pub(super) struct Channel {
    stream: UnixStream,
    received: BytesMut,
    // In the order in which they came; the messages that they belong to come in the same.
    descriptors: VecDeque<OwnedFd>,
    limit: usize,
    heard: Instant,
}

/// Why a connection cannot go on.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    #[error("the other end has closed the connection")]
    Closed,
    #[error("it sent what no data plane sends")]
    Malformed(#[from] Malformed),
    #[error("it sent a descriptor too many or too few")]
    Descriptors,
    #[error("it does not read what it is sent")]
    Stuck(#[from] Elapsed),
    #[error("the connection failed")]
    Failed(#[from] io::Error),
}

impl Channel {
    pub(super) fn new(stream: UnixStream) -> Self {
        Self {
            stream,
            received: BytesMut::new(),
            descriptors: VecDeque::new(),
            limit: STRANGERS_LIMIT,
            heard: Instant::now(),
        }
    }

    /// Lets the other end say as much as a data plane does: it has proved that it is one.
    pub(super) fn trust(&mut self) {
        self.limit = LIMIT;
    }

    /// Returns for how long the other end has said nothing.
    pub(super) fn silent(&self) -> Duration {
        self.heard.elapsed()
    }

    /// Returns the next message. It may be dropped and called again: nothing is lost.
    pub(super) async fn receive(&mut self) -> Result<Body, Broken> {
        loop {
            while let Some(body) = Body::split(&mut self.received, self.limit)? {
                self.heard = Instant::now();
                if let Some(body) = body {
                    return Ok(body);
                }
            }
            self.fill().await?;
        }
    }

    /// Returns the descriptor of the message that was received last.
    pub(super) fn descriptor(&mut self) -> Result<OwnedFd, Broken> {
        self.descriptors.pop_front().ok_or(Broken::Descriptors)
    }

    /// Says this.
    pub(super) async fn send(&self, body: Body) -> Result<(), Broken> {
        self.send_all(body, None).await
    }

    /// Says this, beside a descriptor. Only the other end's copy is a new one.
    pub(super) async fn send_with(
        &self,
        body: Body,
        descriptor: BorrowedFd<'_>,
    ) -> Result<(), Broken> {
        self.send_all(body, Some(descriptor)).await
    }

    async fn send_all(&self, body: Body, descriptor: Option<BorrowedFd<'_>>) -> Result<(), Broken> {
        timeout(PATIENCE, self.write(body.into_bytes(), descriptor)).await?
    }

    async fn write(
        &self,
        mut bytes: Bytes,
        descriptor: Option<BorrowedFd<'_>>,
    ) -> Result<(), Broken> {
        let mut beside = descriptor;
        while bytes.has_remaining() {
            let sending = self
                .stream
                .async_io(Interest::WRITABLE, || send(&self.stream, &bytes, beside));
            let sent = sending.await?;
            bytes.advance(sent);
            // It went with the first byte.
            beside = None;
        }
        Ok(())
    }

    async fn fill(&mut self) -> Result<(), Broken> {
        let mut piece = [0; PIECE];
        let Self {
            stream,
            descriptors,
            ..
        } = self;
        let receiving = stream.async_io(Interest::READABLE, || {
            receive(stream, &mut piece, descriptors)
        });
        let count = receiving.await?;
        if self.descriptors.len() > MOST_DESCRIPTORS {
            return Err(Broken::Descriptors);
        }
        if count == 0 {
            return Err(Broken::Closed);
        }
        self.received.extend_from_slice(&piece[..count]);
        Ok(())
    }
}

fn send(
    stream: &UnixStream,
    bytes: &[u8],
    descriptor: Option<BorrowedFd<'_>>,
) -> io::Result<usize> {
    let descriptors = descriptor.as_slice();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut beside = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() {
        beside.push(SendAncillaryMessage::ScmRights(descriptors));
    }
    let sent = sendmsg(
        stream.as_fd(),
        &[IoSlice::new(bytes)],
        &mut beside,
        SendFlags::NOSIGNAL,
    )?;
    Ok(sent)
}

fn receive(
    stream: &UnixStream,
    piece: &mut [u8],
    descriptors: &mut VecDeque<OwnedFd>,
) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
    let mut beside = RecvAncillaryBuffer::new(&mut space);
    let into = &mut [IoSliceMut::new(piece)];
    let received = recvmsg(stream.as_fd(), into, &mut beside, RecvFlags::CMSG_CLOEXEC)?;
    for message in beside.drain() {
        if let RecvAncillaryMessage::ScmRights(more) = message {
            descriptors.extend(more);
        }
    }
    Ok(received.bytes)
}

/// How long a message may take to be written.
const PATIENCE: Duration = Duration::from_secs(5);
const PIECE: usize = 64 << 10;
// They come one beside each message, and each is taken when its message is read.
const MOST_DESCRIPTORS: usize = 64;

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use tokio::io::AsyncWriteExt as _;

    use super::*;
    use crate::hand_over::message::{CHUNK, Empty, Purpose, Socket};

    fn pair() -> (Channel, Channel) {
        let (one, other) = UnixStream::pair().unwrap();
        (Channel::new(one), Channel::new(other))
    }

    #[tokio::test]
    async fn descriptors_come_beside_their_messages() {
        let (one, mut other) = pair();
        let sockets = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let message = Body::Socket(Socket {
            purpose: Purpose::Listener.into(),
        });
        one.send(Body::Beat(Empty {})).await.unwrap();
        for socket in &sockets {
            one.send_with(message.clone(), socket.as_fd())
                .await
                .unwrap();
        }
        one.send(Body::Handed(Empty {})).await.unwrap();
        assert_eq!(other.receive().await.unwrap(), Body::Beat(Empty {}));
        for socket in &sockets {
            assert_eq!(other.receive().await.unwrap(), message);
            let received = TcpListener::from(other.descriptor().unwrap());
            assert_eq!(received.local_addr().unwrap(), socket.local_addr().unwrap());
        }
        assert_eq!(other.receive().await.unwrap(), Body::Handed(Empty {}));
        assert!(matches!(other.descriptor(), Err(Broken::Descriptors)));
    }

    #[tokio::test]
    async fn a_stranger_may_say_little() {
        let (one, mut other) = pair();
        let chunk = Body::Chunk(vec![0; CHUNK].into());
        let sending = tokio::spawn(async move { one.send(chunk).await });
        let error = other.receive().await.unwrap_err();
        assert!(matches!(error, Broken::Malformed(_)), "{error}");
        drop(other);
        assert!(sending.await.unwrap().is_err());
    }

    #[tokio::test]
    async fn a_large_message_comes_whole() {
        let (one, mut other) = pair();
        other.trust();
        let chunk = Body::Chunk(vec![7; CHUNK].into());
        let sent = chunk.clone();
        let sending = tokio::spawn(async move { one.send(sent).await });
        assert_eq!(other.receive().await.unwrap(), chunk);
        sending.await.unwrap().unwrap();
        assert!(matches!(other.receive().await, Err(Broken::Closed)));
    }

    #[tokio::test]
    async fn who_reads_nothing_is_given_up() {
        let (one, _other) = pair();
        let sending = async {
            loop {
                one.send(Body::Chunk(vec![0; CHUNK].into())).await?;
            }
        };
        let ended: Result<(), Broken> = sending.await;
        assert!(matches!(ended, Err(Broken::Stuck(_))));
    }

    #[tokio::test]
    async fn descriptors_without_messages_are_no_way_to_fill_the_table() {
        let (mut one, other) = UnixStream::pair().unwrap();
        let mut other = Channel::new(other);
        one.write_all(&[0, 0, 0, 200]).await.unwrap();
        for _ in 0..=MOST_DESCRIPTORS {
            one.async_io(Interest::WRITABLE, || send(&one, &[0], Some(one.as_fd())))
                .await
                .unwrap();
        }
        assert!(matches!(other.receive().await, Err(Broken::Descriptors)));
    }
}
