//! What the two ends of a hand-over say to each other, and how it lies in bytes: a length of four bytes, big endian, then a
//! protobuf message. Protobuf, because the two ends are of different builds in every update.
//!
//! It does no I/O, and knows nothing of the descriptors that travel beside some messages.
//!
//! ```text
//! successor                                     predecessor
//! Hello (nonce, keys)                   --->
//!                                       <---    Challenge (nonce, key, greeting, proof)
//! Proof (greeting, proof)               --->
//!                                       <---    Snapshot, Chunk ...      (if it is wanted, and there is one)
//!                                       <---    Offer                    (or Wait, and an Offer some time later)
//! Take                                  --->
//!                                       <---    Socket + descriptor ..., Handed
//! Serving                               --->                             (the predecessor stops accepting)
//! Beat                                  <-->    Beat                     (each second)
//!                                       <---    Bye                      (its copies of the sockets are closed)
//! ```

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use prost::Message as _;

/// One message.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Frame {
    #[prost(oneof = "Body", tags = "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13")]
    pub(super) body: Option<Body>,
}

/// What it says.
#[derive(Clone, PartialEq, prost::Oneof)]
pub(super) enum Body {
    #[prost(message, tag = "1")]
    Hello(Hello),
    #[prost(message, tag = "2")]
    Challenge(Challenge),
    #[prost(message, tag = "3")]
    Proof(Proof),
    #[prost(message, tag = "4")]
    Snapshot(Snapshot),
    #[prost(bytes = "bytes", tag = "5")]
    Chunk(Bytes),
    #[prost(message, tag = "6")]
    Offer(Empty),
    #[prost(enumeration = "Why", tag = "7")]
    Wait(i32),
    #[prost(message, tag = "8")]
    Take(Empty),
    #[prost(message, tag = "9")]
    Socket(Socket),
    #[prost(message, tag = "10")]
    Handed(Empty),
    #[prost(message, tag = "11")]
    Serving(Serving),
    #[prost(message, tag = "12")]
    Beat(Empty),
    #[prost(message, tag = "13")]
    Bye(Empty),
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(super) struct Empty {}

/// Opens a connection.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Hello {
    #[prost(bytes = "bytes", tag = "1")]
    pub(super) nonce: Bytes,
    /// Which keys the successor can prove with.
    #[prost(bytes = "bytes", repeated, tag = "2")]
    pub(super) keys: Vec<Bytes>,
}

/// The predecessor's answer to Hello.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Challenge {
    #[prost(bytes = "bytes", tag = "1")]
    pub(super) nonce: Bytes,
    /// An encoded [`Greeting`]: the proof covers these very bytes.
    #[prost(bytes = "bytes", tag = "2")]
    pub(super) greeting: Bytes,
    #[prost(bytes = "bytes", tag = "3")]
    pub(super) proof: Bytes,
    /// Which of the keys both prove with; none if the predecessor knows none of them.
    #[prost(bytes = "bytes", tag = "4")]
    pub(super) key: Bytes,
}

/// The successor's answer to Challenge.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Proof {
    /// An encoded [`Greeting`].
    #[prost(bytes = "bytes", tag = "1")]
    pub(super) greeting: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    pub(super) proof: Bytes,
}

/// Who an end is.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Greeting {
    /// Random for each process.
    #[prost(string, tag = "1")]
    pub(super) instance: String,
    #[prost(string, tag = "2")]
    pub(super) build_version: String,
    #[prost(fixed64, tag = "3")]
    pub(super) birth_unix_ns: u64,
    #[prost(fixed64, tag = "4")]
    pub(super) birth_random: u64,
    /// Whether it wants the snapshot.
    #[prost(bool, tag = "5")]
    pub(super) wants_snapshot: bool,
}

/// A snapshot follows in chunks, sealed as the copy on disk is.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(super) struct Snapshot {
    #[prost(uint64, tag = "1")]
    pub(super) bytes: u64,
    /// Whether its endpoints may be somebody else's by now.
    #[prost(bool, tag = "2")]
    pub(super) endpoints_stale: bool,
}

/// A listening socket; its descriptor travels beside this.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(super) struct Socket {
    #[prost(enumeration = "Purpose", tag = "1")]
    pub(super) purpose: i32,
}

/// What a socket is for. What it is bound to, it says itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq, prost::Enumeration)]
#[repr(i32)]
pub(super) enum Purpose {
    Unknown = 0,
    Listener = 1,
    Metrics = 2,
    HandOver = 3,
}

/// The successor serves on these sockets.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Serving {
    /// The addresses of the listeners that it took, `ip:port`.
    #[prost(string, repeated, tag = "1")]
    pub(super) addresses: Vec<String>,
}

/// Why a successor gets no sockets yet.
#[derive(Clone, Copy, Debug, Eq, PartialEq, prost::Enumeration)]
#[repr(i32)]
pub(super) enum Why {
    Unknown = 0,
    /// The predecessor belongs to a newer pod, and serves.
    Newer = 1,
    /// Another successor is taking over.
    Another = 2,
}

/// What is wrong with received bytes.
#[derive(Debug, thiserror::Error)]
pub(super) enum Malformed {
    #[error("a message of {bytes} bytes, where {limit} are the most")]
    Large { bytes: usize, limit: usize },
    #[error("no message of this protocol")]
    Content(#[from] prost::DecodeError),
}

impl Body {
    /// Returns it as it travels.
    pub(super) fn into_bytes(self) -> Bytes {
        let frame = Frame { body: Some(self) };
        let length = frame.encoded_len();
        let mut bytes = BytesMut::with_capacity(PREFIX + length);
        // Nothing that is sent comes near the limit of the length.
        bytes.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
        bytes.put_slice(&frame.encode_to_vec());
        bytes.freeze()
    }

    /// Takes the first message out of what was received; `None` while it is not whole, `Some(None)` for one that a newer
    /// build knows.
    pub(super) fn split(
        received: &mut BytesMut,
        limit: usize,
    ) -> Result<Option<Option<Self>>, Malformed> {
        let Some(prefix) = received.first_chunk::<PREFIX>() else {
            return Ok(None);
        };
        let bytes = u32::from_be_bytes(*prefix) as usize;
        if bytes > limit {
            return Err(Malformed::Large { bytes, limit });
        }
        if received.len() < PREFIX + bytes {
            return Ok(None);
        }
        received.advance(PREFIX);
        let frame = Frame::decode(received.split_to(bytes).freeze())?;
        Ok(Some(frame.body))
    }
}

/// The most that is said in one message before both have proved who they are.
pub(super) const STRANGERS_LIMIT: usize = 1024;
/// The most that is said in one message after that.
pub(super) const LIMIT: usize = CHUNK + 1024;
/// How much of a snapshot travels in one message.
pub(super) const CHUNK: usize = 256 << 10;

const PREFIX: usize = 4;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_said_is_heard_however_it_is_cut() {
        let said = [
            Body::Hello(Hello {
                nonce: Bytes::from_static(&[7; 32]),
                keys: vec![Bytes::from_static(&[1; 8])],
            }),
            Body::Wait(Why::Newer.into()),
            Body::Serving(Serving {
                addresses: vec!["[::]:80".to_owned()],
            }),
            Body::Bye(Empty {}),
        ];
        let bytes: Vec<u8> = said.iter().cloned().flat_map(Body::into_bytes).collect();
        let (mut received, mut heard) = (BytesMut::new(), Vec::new());
        for byte in bytes {
            received.put_u8(byte);
            while let Some(body) = Body::split(&mut received, STRANGERS_LIMIT).unwrap() {
                heard.push(body.unwrap());
            }
        }
        assert_eq!(heard, said);
    }

    #[test]
    fn a_long_message_is_refused_by_its_length_alone() {
        let mut received = BytesMut::from(&[0, 0, 4, 1][..]);
        let error = Body::split(&mut received, STRANGERS_LIMIT).unwrap_err();
        assert!(
            matches!(error, Malformed::Large { bytes: 1025, .. }),
            "{error}"
        );
    }

    #[test]
    fn what_a_newer_build_says_is_passed_over() {
        // Field 99, a varint.
        let mut received = BytesMut::from(&[0, 0, 0, 3, 0x98, 0x06, 1][..]);
        assert_eq!(
            Body::split(&mut received, STRANGERS_LIMIT).unwrap(),
            Some(None)
        );
        assert!(received.is_empty());
    }

    proptest! {
        #[test]
        fn garbage_never_panics(garbage in prop::collection::vec(any::<u8>(), 0..300)) {
            let mut received = BytesMut::from(&*garbage);
            while let Ok(Some(_)) = Body::split(&mut received, STRANGERS_LIMIT) {}
        }

        #[test]
        fn garbage_in_a_frame_never_panics(garbage in prop::collection::vec(any::<u8>(), 0..300)) {
            let length = u32::try_from(garbage.len()).unwrap().to_be_bytes();
            let mut received = BytesMut::from(&*[&length[..], &garbage].concat());
            let _ = Body::split(&mut received, STRANGERS_LIMIT);
        }
    }
}
