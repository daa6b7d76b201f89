//! What is kept of a client's body for another try.

use bytes::Bytes;
use http::HeaderMap;
use http_body::Frame;

/// The pieces of a body so far.
pub(super) struct Kept {
    pieces: Vec<Piece>,
    // How many bytes more are kept.
    room: u64,
}

enum Piece {
    Data(Bytes),
    Trailers(HeaderMap),
}

impl Kept {
    /// Returns nothing, and room for so many bytes.
    pub(super) const fn new(room: u64) -> Self {
        Self {
            pieces: Vec::new(),
            room,
        }
    }

    /// Adds a piece; returns whether there was room.
    pub(super) fn push(&mut self, frame: &Frame<Bytes>) -> bool {
        let Some(room) = self.room.checked_sub(length(frame)) else {
            return false;
        };
        self.room = room;
        let data = frame.data_ref().cloned().map(Piece::Data);
        let trailers = || frame.trailers_ref().cloned().map(Piece::Trailers);
        self.pieces.extend(data.or_else(trailers));
        true
    }

    /// Returns whether trailers are among them.
    pub(super) fn has_trailers(&self) -> bool {
        matches!(self.pieces.last(), Some(Piece::Trailers(_)))
    }

    /// Returns one of the pieces, if so many have come.
    pub(super) fn get(&self, place: usize) -> Option<Frame<Bytes>> {
        Some(match self.pieces.get(place)? {
            Piece::Data(data) => Frame::data(data.clone()),
            Piece::Trailers(trailers) => Frame::trailers(trailers.clone()),
        })
    }
}

/// Returns the length of a piece.
pub(super) fn length(frame: &Frame<Bytes>) -> u64 {
    frame.data_ref().map_or(0, |data| data.len() as u64)
}
