//! Hashes of passwords, as htpasswd writes them: bcrypt, apr1 (Apache's MD5) and `{SHA}`.
//!
//! Others (crypt, plain text) are refused: whoever reads the Secret would know the passwords.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};
use sluice_proto::Credential;

/// A hash of a password.
#[derive(Clone)]
pub(super) enum Hash {
    Bcrypt(String),
    Apr1 { salt: String, hash: String },
    Sha1(Vec<u8>),
}

impl Hash {
    /// Parses what stands behind the colon of a line that htpasswd wrote.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if let Some(encoded) = text.strip_prefix("{SHA}") {
            let hash = STANDARD.decode(encoded).ok()?;
            return (hash.len() == 20).then_some(Self::Sha1(hash));
        }
        if let Some(rest) = text.strip_prefix("$apr1$") {
            let (salt, hash) = rest.split_once('$')?;
            return (!salt.is_empty() && salt.len() <= 8 && hash.len() == 22).then(|| Self::Apr1 {
                salt: salt.to_owned(),
                hash: hash.to_owned(),
            });
        }
        let parts: bcrypt::HashParts = text.parse().ok()?;
        // A check that takes minutes would be a way to stop all others.
        (parts.get_cost() <= Credential::MOST_BCRYPT_COST).then(|| Self::Bcrypt(text.to_owned()))
    }

    /// Returns whether it is computed within microseconds.
    pub(super) const fn is_cheap(&self) -> bool {
        matches!(self, Self::Sha1(_))
    }

    /// Returns whether it is that of this password. Takes as long as its author chose.
    pub(super) fn is_of(&self, password: &[u8]) -> bool {
        match self {
            Self::Bcrypt(hash) => bcrypt::verify(password, hash).unwrap_or(false),
            Self::Apr1 { salt, hash } => {
                let own = apr1(password, salt.as_bytes());
                verify_slices_are_equal(own.as_bytes(), hash.as_bytes()).is_ok()
            }
            Self::Sha1(hash) => {
                let own = digest(&SHA1_FOR_LEGACY_USE_ONLY, password);
                verify_slices_are_equal(own.as_ref(), hash).is_ok()
            }
        }
    }
}

/// Apache's variant of MD5-crypt, as `apr_md5_encode` computes it: a thousand rounds over salt and password.
fn apr1(password: &[u8], salt: &[u8]) -> String {
    let inner = Md5::new()
        .chain_update(password)
        .chain_update(salt)
        .chain_update(password)
        .finalize();
    let mut outer = Md5::new()
        .chain_update(password)
        .chain_update(b"$apr1$")
        .chain_update(salt);
    for chunk in password.chunks(16) {
        outer.update(&inner[..chunk.len()]);
    }
    let mut bits = password.len();
    while bits > 0 {
        if bits & 1 == 1 {
            outer.update([0]);
        } else {
            outer.update(&password[..1]);
        }
        bits >>= 1;
    }
    let mut last = outer.finalize();
    for round in 0..1000 {
        let mut next = Md5::new();
        if round % 2 == 1 {
            next.update(password);
        } else {
            next.update(last);
        }
        if round % 3 != 0 {
            next.update(salt);
        }
        if round % 7 != 0 {
            next.update(password);
        }
        if round % 2 == 1 {
            next.update(last);
        } else {
            next.update(password);
        }
        last = next.finalize();
    }
    encode(&last)
}

// Three bytes a group, in the order that crypt took once, six bits a character from the lowest.
fn encode(hash: &[u8]) -> String {
    let mut text = String::with_capacity(22);
    let mut push = |mut bits: usize, characters: usize| {
        for _ in 0..characters {
            text.push(char::from(ALPHABET[bits & 0x3f]));
            bits >>= 6;
        }
    };
    for [a, b, c] in GROUPS {
        let bits = usize::from(hash[a]) << 16 | usize::from(hash[b]) << 8 | usize::from(hash[c]);
        push(bits, 4);
    }
    push(usize::from(hash[11]), 2);
    text
}

const GROUPS: [[usize; 3]; 5] = [[0, 6, 12], [1, 7, 13], [2, 8, 14], [3, 9, 15], [4, 10, 5]];
const ALPHABET: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

#[cfg(test)]
mod tests {
    use super::*;

    // Written by htpasswd of Apache, with -nbB -C 5, -nbm and -nbs; and by `openssl passwd -apr1`.
    #[test]
    fn what_htpasswd_writes_is_understood() {
        for hash in [
            "$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC",
            "$apr1$H6uskkkW$IgXLP6ewTrSuBkTrqE8wj/",
            "{SHA}5WMeLQlN1xwdXJtvFCXiGMIr4WI=",
        ] {
            let parsed = Hash::parse(hash);
            assert!(parsed.is_some(), "{hash}");
        }
    }

    #[test]
    fn only_the_right_password_has_the_hash() {
        // Traefik's own examples: test:test and test2:test2.
        for (hash, password) in [
            ("$apr1$H6uskkkW$IgXLP6ewTrSuBkTrqE8wj/", "test"),
            ("$apr1$d9hr9HBB$4HxwgUir3HP4EsggP/QNo0", "test2"),
            ("{SHA}qUqP5cyxm6YcTAhz05Hph5gvu9M=", "test"),
        ] {
            let parsed = Hash::parse(hash).unwrap();
            assert!(parsed.is_of(password.as_bytes()), "{hash}");
            assert!(!parsed.is_of(b"other"), "{hash}");
            assert!(!parsed.is_of(b""), "{hash}");
        }
        let bcrypt = Hash::parse(&bcrypt::hash("secret", 4).unwrap()).unwrap();
        assert!(bcrypt.is_of(b"secret") && !bcrypt.is_of(b"Secret"));
    }

    #[test]
    fn what_is_no_hash_is_refused() {
        for text in [
            "",
            "secret",
            "{SHA}c2hvcnQ=",
            "$apr1$$x",
            "$1$abc$def",
            "$2y$31$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC",
        ] {
            assert!(Hash::parse(text).is_none(), "{text:?}");
        }
    }
}
