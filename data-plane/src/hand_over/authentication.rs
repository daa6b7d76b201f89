//! How both ends of a hand-over prove that they belong to one installation: by an HMAC over the nonces of both, with a
//! key that never travels.
//!
//! A key is derived from each seal key that is known: the one of now and the one before. Either end may have a newer pair than
//! the other, for a kubelet takes a while; they prove with one that both have.
//!
//! A user id proves nothing (65532 is in every distroless image), and anybody in the network namespace can open or squat an
//! abstract socket. The two roles prove different things, so that no proof can be sent back to its maker.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use aws_lc_rs::{hmac, rand};
use bytes::Bytes;

use crate::identity::SealKeys;

/// What is derived from the seal keys that are known, the one of now first.
#[derive(Debug)]
pub(super) struct Secrets {
    node: String,
    known: ArcSwap<Vec<Arc<Secret>>>,
}

/// What is derived from one seal key, for one node.
pub(super) struct Secret {
    id: [u8; 8],
    key: hmac::Key,
}

/// Which end of a connection proves.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum End {
    /// It has the sockets.
    Predecessor,
    /// It wants them.
    Successor,
}

/// What each end contributes, never twice the same.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Nonces {
    pub(super) predecessor: Nonce,
    pub(super) successor: Nonce,
}

pub(super) type Nonce = [u8; 32];

impl Secrets {
    pub(super) fn derive(keys: &SealKeys, node: &str) -> Self {
        let secrets = Self {
            node: node.to_owned(),
            known: ArcSwap::default(),
        };
        secrets.follow(keys);
        secrets
    }

    /// Knows these keys from now on, and no others.
    pub(super) fn follow(&self, keys: &SealKeys) {
        let derived = keys.iter().map(|key| Secret::derive(key, &self.node));
        self.known.store(Arc::new(derived.map(Arc::new).collect()));
    }

    /// Returns what tells the other end which are known; it tells nothing of the keys.
    pub(super) fn ids(&self) -> Vec<Bytes> {
        let known = self.known.load();
        let ids = known
            .iter()
            .map(|secret| Bytes::copy_from_slice(&secret.id));
        ids.collect()
    }

    /// Returns the newest that the other end knows, too.
    pub(super) fn of_ids(&self, ids: &[Bytes]) -> Option<Arc<Secret>> {
        let known = self.known.load();
        let mut common = known.iter().filter(|secret| ids.contains(&secret.id()));
        common.next().map(Arc::clone)
    }
}

impl Secret {
    /// Derives it.
    pub(super) fn derive(seal_key: &[u8; 32], node: &str) -> Self {
        let extracted = Salt::new(HKDF_SHA256, b"sluice").extract(seal_key);
        let derive = |label: &[u8]| {
            let mut derived = [0; 32];
            // It fails only for a length that HKDF cannot give, and 32 is none.
            let filled = extracted
                .expand(&[label, node.as_bytes()], Bytes32)
                .and_then(|key| key.fill(&mut derived));
            debug_assert!(filled.is_ok(), "32 bytes can be derived");
            derived
        };
        let mut id = [0; 8];
        id.copy_from_slice(&derive(b"hand-over key id, format 1, node ")[..8]);
        Self {
            id,
            key: hmac::Key::new(
                hmac::HMAC_SHA256,
                &derive(b"hand-over proof, format 1, node "),
            ),
        }
    }

    /// Returns what it is called between the two ends.
    pub(super) fn id(&self) -> Bytes {
        Bytes::copy_from_slice(&self.id)
    }

    /// Returns the proof that this end knows the secret; it covers its greeting.
    pub(super) fn prove(&self, end: End, nonces: &Nonces, greeting: &[u8]) -> Vec<u8> {
        let proof = hmac::sign(&self.key, &statement(end, nonces, greeting));
        proof.as_ref().to_vec()
    }

    /// Returns whether this proves that the other end, which is this one, knows the secret.
    pub(super) fn is_proved(
        &self,
        end: End,
        nonces: &Nonces,
        greeting: &[u8],
        proof: &[u8],
    ) -> bool {
        hmac::verify(&self.key, &statement(end, nonces, greeting), proof).is_ok()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret").finish_non_exhaustive()
    }
}

/// Returns a nonce.
///
/// # Errors
///
/// If the machine has no randomness to give.
pub(super) fn nonce() -> Result<Nonce, Unspecified> {
    let mut nonce = [0; 32];
    rand::fill(&mut nonce)?;
    Ok(nonce)
}

// Every part but the last has a fixed length, so no two statements are the same bytes.
fn statement(end: End, nonces: &Nonces, greeting: &[u8]) -> Vec<u8> {
    let end: &[u8] = match end {
        End::Predecessor => b"P",
        End::Successor => b"S",
    };
    [end, &nonces.predecessor, &nonces.successor, greeting].concat()
}

struct Bytes32;

impl KeyType for Bytes32 {
    fn len(&self) -> usize {
        32
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NONCES: Nonces = Nonces {
        predecessor: [1; 32],
        successor: [2; 32],
    };

    fn secrets(current: u8, previous: Option<u8>, node: &str) -> Secrets {
        let keys = SealKeys {
            current: [current; 32],
            previous: previous.map(|previous| [previous; 32]),
        };
        Secrets::derive(&keys, node)
    }

    #[test]
    fn the_newest_that_both_know_is_used() {
        let own = secrets(3, Some(2), "a");
        let common = |other: Secrets| own.of_ids(&other.ids()).map(|secret| secret.id());
        let id = |key| Some(Secret::derive(&[key; 32], "a").id());
        assert_eq!(common(secrets(3, Some(2), "a")), id(3));
        assert_eq!(common(secrets(4, Some(3), "a")), id(3));
        assert_eq!(common(secrets(2, Some(1), "a")), id(2));
        assert_eq!(common(secrets(4, None, "a")), None);
        assert_eq!(common(secrets(3, Some(2), "b")), None);
    }

    #[test]
    fn keys_that_were_renewed_away_are_forgotten() {
        let own = secrets(1, None, "a");
        let keys = SealKeys {
            current: [3; 32],
            previous: Some([2; 32]),
        };
        own.follow(&keys);
        assert!(own.of_ids(&secrets(1, None, "a").ids()).is_none());
        assert!(own.of_ids(&secrets(3, None, "a").ids()).is_some());
    }

    #[test]
    fn only_the_same_secret_proves_and_only_its_own_end() {
        let secret = Secret::derive(&[1; 32], "a");
        let proof = secret.prove(End::Successor, &NONCES, b"hello");
        assert!(secret.is_proved(End::Successor, &NONCES, b"hello", &proof));
        // Sent back to who made it.
        assert!(!secret.is_proved(End::Predecessor, &NONCES, b"hello", &proof));
        let swapped = Nonces {
            predecessor: NONCES.successor,
            successor: NONCES.predecessor,
        };
        assert!(!secret.is_proved(End::Successor, &swapped, b"hello", &proof));
        assert!(!secret.is_proved(End::Successor, &NONCES, b"jello", &proof));
        for (key, node) in [(2, "a"), (1, "b")] {
            let other = Secret::derive(&[key; 32], node);
            assert!(!other.is_proved(End::Successor, &NONCES, b"hello", &proof));
        }
    }

    #[test]
    fn a_recorded_proof_is_worth_nothing_for_another_nonce() {
        let secret = Secret::derive(&[1; 32], "a");
        let recorded = secret.prove(End::Successor, &NONCES, b"");
        let fresh = Nonces {
            predecessor: nonce().unwrap(),
            ..NONCES
        };
        assert!(!secret.is_proved(End::Successor, &fresh, b"", &recorded));
    }

    #[test]
    fn nothing_of_it_is_shown() {
        assert_eq!(
            format!("{:?}", Secret::derive(&[1; 32], "a")),
            "Secret { .. }"
        );
    }

    proptest! {
        #[test]
        fn garbage_proves_nothing(garbage in prop::collection::vec(any::<u8>(), 0..80)) {
            let secret = Secret::derive(&[1; 32], "a");
            prop_assert!(!secret.is_proved(End::Predecessor, &NONCES, b"", &garbage));
        }
    }
}
