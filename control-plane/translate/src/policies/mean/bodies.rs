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
        let compression = Compression {
            encodings,
            excluded_types: types(self.excluded_types),
            included_types: types(self.types),
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

/// Smaller bodies fit into a packet as they are.
const LEAST_BYTES: u64 = 1_024;
