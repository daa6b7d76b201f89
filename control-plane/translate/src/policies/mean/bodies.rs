//! `compression`: how bodies of responses are encoded.

use sluice_proto::{Compression, Encoding, PolicyAction};

use crate::policies::effect::{Effect, Said, Wrong};
use crate::policies::spec::{CompressionSpec, EncodingSpec};
use crate::policies::value::MediaType;

impl CompressionSpec {
    pub(super) fn effect(self, said: Said<'_>) -> Result<Effect, Wrong> {
        let encodings = match self.encodings {
            None => vec![Encoding::Brotli, Encoding::Zstd, Encoding::Gzip],
            Some(names) => names.into_iter().map(Encoding::from).collect(),
        };
        if encodings.is_empty() {
            return Err(Wrong::new("compression.encodings", "it is empty"));
        }
        let types = |types: Vec<MediaType>| types.into_iter().map(|one| one.0).collect();
        let says_types = !self.types.is_empty() || !self.excluded_types.is_empty();
        let included_types = if says_types {
            types(self.types)
        } else {
            USUAL_TYPES.map(str::to_owned).to_vec()
        };
        let compression = Compression {
            encodings,
            excluded_types: types(self.excluded_types),
            included_types,
            least_bytes: self.minimum_size.map_or(LEAST_BYTES, |bytes| bytes.0.get()),
            default_encoding: None,
        };
        Ok(said.does("compression", PolicyAction::Compression(compression)))
    }
}

impl From<EncodingSpec> for Encoding {
    fn from(encoding: EncodingSpec) -> Self {
        match encoding {
            EncodingSpec::Br => Self::Brotli,
            EncodingSpec::Zstd => Self::Zstd,
            EncodingSpec::Gzip => Self::Gzip,
        }
    }
}

/// What gets smaller. Pictures, videos, archives and fonts of today are compressed already.
const USUAL_TYPES: [&str; 21] = [
    "application/atom+xml",
    "application/geo+json",
    "application/javascript",
    "application/json",
    "application/ld+json",
    "application/manifest+json",
    "application/problem+json",
    "application/rss+xml",
    "application/vnd.api+json",
    "application/wasm",
    "application/x-javascript",
    "application/xhtml+xml",
    "application/xml",
    "image/svg+xml",
    "text/calendar",
    "text/css",
    "text/csv",
    "text/html",
    "text/javascript",
    "text/plain",
    "text/xml",
];
/// Smaller bodies fit into a packet as they are.
const LEAST_BYTES: u64 = 1_024;
