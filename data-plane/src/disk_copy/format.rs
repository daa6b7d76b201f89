//! The bytes of the copy: a header in clear, then the snapshot, sealed.
//!
//! ```text
//! "SLUICE" version(1 byte) nonce(12 bytes) sealed(certificates kept, snapshot; each a length-delimited Delta) tag(16)
//! ```
//!
//! It does not touch the disk. The header is authenticated with the rest.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use bytes::Bytes;
use prost::Message as _;
use sluice_proto::{Difference, Snapshot, wire};

use crate::disk_copy::Kept;

/// More than this is no copy: 256 MiB.
pub(super) const MAX_BYTES: u64 = 256 << 20;

/// What the copy is sealed with. `Debug` shows nothing of it.
pub(super) struct Seal {
    key: [u8; 32],
}

/// What is wrong with a copy.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Damage {
    /// It was not sealed with this key, or was changed or cut short since.
    #[error("its seal is broken: it was cut short, changed, or made with another seal key")]
    Broken,
    /// What was sealed is not a snapshot: whoever wrote it is at fault.
    #[error("it holds no snapshot")]
    Content,
    /// It does not start as a copy does.
    #[error("it is not a copy of a snapshot")]
    Foreign,
    /// It is larger than any copy.
    #[error("it is larger than 256 MiB")]
    Large,
    /// Another version of this program wrote it.
    #[error("it has format {0}, and this build reads format 1")]
    Version(u8),
}

impl Seal {
    pub(super) fn derive(secret: &[u8; 32]) -> Self {
        let extracted = Salt::new(HKDF_SHA256, b"sluice").extract(secret);
        let mut key = [0; 32];
        // It fails only for a length that HKDF cannot give, and 32 is none.
        let filled = extracted
            .expand(&[b"disk copy, format 1"], &AES_256_GCM)
            .and_then(|derived| derived.fill(&mut key));
        debug_assert!(filled.is_ok(), "32 bytes can be derived");
        Self { key }
    }

    pub(super) fn seal(&self, kept: &Kept) -> Result<Vec<u8>, Damage> {
        let mut content = Vec::new();
        for snapshot in [&kept.certificates, &kept.snapshot] {
            for delta in snapshot
                .changes_since(&Snapshot::default())
                .into_wire(kept.generation, usize::MAX)
            {
                // A Vec has room for any message.
                delta
                    .encode_length_delimited(&mut content)
                    .map_err(|_| Damage::Large)?;
            }
        }
        let nonce = self
            .cipher()?
            .seal_in_place_append_tag(Aad::from(HEADER), &mut content)
            .map_err(|_| Damage::Large)?;
        let sealed = [&HEADER[..], nonce.as_ref(), &content].concat();
        if sealed.len() as u64 > MAX_BYTES {
            return Err(Damage::Large);
        }
        Ok(sealed)
    }

    pub(super) fn open(&self, mut sealed: Vec<u8>) -> Result<Kept, Damage> {
        if sealed.len() as u64 > MAX_BYTES {
            return Err(Damage::Large);
        }
        let (magic, rest) = sealed
            .split_at_mut_checked(MAGIC.len())
            .ok_or(Damage::Foreign)?;
        if magic != MAGIC {
            return Err(Damage::Foreign);
        }
        let (version, rest) = rest.split_first_mut().ok_or(Damage::Broken)?;
        if *version != FORMAT {
            return Err(Damage::Version(*version));
        }
        let (nonce, content) = rest.split_at_mut_checked(NONCE_LEN).ok_or(Damage::Broken)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Damage::Broken)?;
        let length = self
            .cipher()?
            .open_in_place(nonce, Aad::from(HEADER), content)
            .map_err(|_| Damage::Broken)?
            .len();
        let start = HEADER.len() + NONCE_LEN;
        kept(Bytes::from(sealed).slice(start..start + length))
    }

    fn cipher(&self) -> Result<RandomizedNonceKey, Damage> {
        RandomizedNonceKey::new(&AES_256_GCM, &self.key).map_err(|_| Damage::Broken)
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal")
    }
}

fn kept(mut content: Bytes) -> Result<Kept, Damage> {
    let (_, certificates) = snapshot(&mut content)?;
    let (generation, snapshot) = snapshot(&mut content)?;
    if !content.is_empty() {
        return Err(Damage::Content);
    }
    Ok(Kept {
        generation,
        snapshot,
        certificates,
    })
}

fn snapshot(content: &mut Bytes) -> Result<(u64, Snapshot), Damage> {
    let delta = wire::Delta::decode_length_delimited(content).map_err(|_| Damage::Content)?;
    let generation = delta.generation;
    let mut difference = Difference::default();
    if !difference.extend_from_wire(delta).is_empty() {
        return Err(Damage::Content);
    }
    let mut snapshot = Snapshot::default();
    snapshot.apply(difference);
    Ok((generation, snapshot))
}

const MAGIC: &[u8; 6] = b"SLUICE";
const FORMAT: u8 = 1;
const HEADER: [u8; 7] = *b"SLUICE\x01";

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;
    use sluice_proto::{Entry, Kind, ResourceKey};

    use super::*;

    pub(in crate::disk_copy) fn kept(resources: u8) -> Kept {
        let snapshot = |kind, count| {
            let entry = |index: u8| {
                let key = ResourceKey::new(kind, format!("r{index}"));
                (key, Arc::new(Entry::new(vec![index; 40].into())))
            };
            (0..count).map(entry).collect::<Snapshot>()
        };
        Kept {
            generation: 42,
            snapshot: snapshot(Kind::Route, resources),
            certificates: snapshot(Kind::Certificate, 1),
        }
    }

    #[test]
    fn what_is_sealed_is_not_readable() {
        let sealed = Seal::derive(&[1; 32]).seal(&kept(3)).unwrap();
        assert!(!sealed.windows(8).any(|window| window == [1; 8]));
    }

    #[test]
    fn another_format_is_named() {
        let seal = Seal::derive(&[1; 32]);
        let mut sealed = seal.seal(&kept(1)).unwrap();
        sealed[6] = 2;
        assert_eq!(seal.open(sealed), Err(Damage::Version(2)));
        assert_eq!(seal.open(b"hello, world".to_vec()), Err(Damage::Foreign));
        assert_eq!(seal.open(Vec::new()), Err(Damage::Foreign));
    }

    proptest! {
        #[test]
        fn what_is_sealed_is_opened(resources in 0_u8..20) {
            let seal = Seal::derive(&[1; 32]);
            prop_assert_eq!(seal.open(seal.seal(&kept(resources)).unwrap()), Ok(kept(resources)));
        }

        #[test]
        fn what_is_cut_or_changed_is_refused(at in any::<prop::sample::Index>(), bit in 0_u8..8, cut: bool) {
            let seal = Seal::derive(&[1; 32]);
            let mut sealed = seal.seal(&kept(4)).unwrap();
            let at = at.index(sealed.len());
            if cut {
                sealed.truncate(at);
            } else {
                sealed[at] ^= 1 << bit;
            }
            prop_assert!(seal.open(sealed).is_err());
        }

        #[test]
        fn garbage_is_refused(garbage in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(Seal::derive(&[1; 32]).open(garbage).is_err());
        }
    }
}
