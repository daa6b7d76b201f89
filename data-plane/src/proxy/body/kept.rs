//! What is kept of a client's body for another try.

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::Frame;

/// A body so far.
pub(super) struct Kept {
    // With the place of their first byte.
    pieces: Vec<(u64, Piece)>,
    length: u64,
    trailers: Option<HeaderMap>,
    // How many bytes more are kept.
    room: u64,
}

enum Piece {
    // As it came.
    Large(Bytes),
    // Put together: each for itself would keep the buffer that it was read into, so that of a body that comes byte by byte a
    // hundred times its length would be kept.
    Small(BytesMut),
}

impl Kept {
    /// Returns nothing, and room for so many bytes.
    pub(super) const fn new(room: u64) -> Self {
        Self {
            pieces: Vec::new(),
            length: 0,
            trailers: None,
            room,
        }
    }

    /// Adds a piece; returns whether there was room.
    pub(super) fn push(&mut self, frame: &Frame<Bytes>) -> bool {
        let Some(room) = self.room.checked_sub(length(frame)) else {
            return false;
        };
        self.room = room;
        if let Some(data) = frame.data_ref() {
            self.add(data);
        }
        if let Some(trailers) = frame.trailers_ref() {
            self.trailers = Some(trailers.clone());
        }
        true
    }

    fn add(&mut self, data: &Bytes) {
        if let Some((_, Piece::Small(small))) = self.pieces.last_mut()
            && small.len() + data.len() <= LARGE
        {
            small.extend_from_slice(data);
        } else if data.len() >= LARGE {
            self.pieces.push((self.length, Piece::Large(data.clone())));
        } else {
            let small = BytesMut::from(data.as_ref());
            self.pieces.push((self.length, Piece::Small(small)));
        }
        self.length += data.len() as u64;
    }

    /// Returns whether there are trailers.
    pub(super) const fn has_trailers(&self) -> bool {
        self.trailers.is_some()
    }

    /// Returns what comes after so many bytes, if that has come: data, or the trailers, unless they were read.
    pub(super) fn after(&self, bytes: u64, trailers_read: bool) -> Option<Frame<Bytes>> {
        if bytes < self.length {
            let next = self.pieces.partition_point(|(start, _)| *start <= bytes);
            let (start, piece) = self.pieces.get(next.checked_sub(1)?)?;
            let skipped = usize::try_from(bytes - start).ok()?;
            return Some(Frame::data(match piece {
                Piece::Large(data) => data.slice(skipped..),
                Piece::Small(data) => Bytes::copy_from_slice(&data[skipped..]),
            }));
        }
        let trailers = self.trailers.as_ref().filter(|_| !trailers_read);
        trailers.cloned().map(Frame::trailers)
    }
}

/// Returns the length of a piece.
pub(super) fn length(frame: &Frame<Bytes>) -> u64 {
    frame.data_ref().map_or(0, |data| data.len() as u64)
}

/// From here on a piece is kept as it came.
const LARGE: usize = 4 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_of_a_body_is_read_again_from_any_place() {
        let body: Vec<u8> = (0..40_000_u32).map(|byte| byte as u8).collect();
        let mut kept = Kept::new(40_000);
        let mut rest = &body[..];
        for length in [1, 2, 5_000, 3, 4_095, 4_096, 1, 1, 10_000]
            .into_iter()
            .cycle()
        {
            let (piece, after) = rest.split_at(length.min(rest.len()));
            assert!(kept.push(&Frame::data(Bytes::copy_from_slice(piece))));
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        assert!(!kept.push(&Frame::data(Bytes::from_static(b"x"))));
        assert!(kept.push(&Frame::trailers(HeaderMap::new())));
        for start in [0, 1, 3, 5_002, 5_003, 39_999, 40_000] {
            let mut read = start;
            while let Some(frame) = kept.after(read as u64, false) {
                let Some(data) = frame.data_ref() else {
                    break;
                };
                assert_eq!(data, &body[read..read + data.len()]);
                read += data.len();
            }
            assert_eq!(read, body.len(), "from {start}");
        }
        assert!(
            kept.after(40_000, false)
                .is_some_and(|frame| frame.is_trailers())
        );
        assert!(kept.after(40_000, true).is_none());
    }

    #[test]
    fn a_body_that_comes_byte_by_byte_is_a_few_pieces() {
        let mut kept = Kept::new(100_000);
        for _ in 0..100_000 {
            assert!(kept.push(&Frame::data(Bytes::from_static(b"x"))));
        }
        assert!(kept.pieces.len() <= 25, "{}", kept.pieces.len());
    }
}
