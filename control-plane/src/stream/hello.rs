//! Who connects, parsed from its `Hello`.
//!
//! The names in it are what the data plane says of itself: its certificate proves that it is one, not which.

use sluice_proto::{Version, wire};

use crate::stream::session::Violation;

/// Who connects, and what it holds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Introduction {
    /// The Kubernetes node.
    pub(crate) node: String,
    /// The process on it.
    pub(crate) instance: String,
    /// Its version; empty if it does not say.
    pub(crate) build_version: String,
    /// The digest of what it holds.
    pub(crate) digest: Version,
    /// The generation that it applied last; 0 if none.
    pub(crate) generation: u64,
    /// Whether it was sent to the leader and could not reach it.
    pub(crate) leader_unreachable: bool,
}

impl Introduction {
    /// Parses what a data plane says of itself.
    ///
    /// # Errors
    ///
    /// Names the field that cannot be.
    pub(crate) fn parse(hello: wire::Hello) -> Result<Self, Violation> {
        let digest = Version::from_bytes(&hello.digest).ok_or(Violation::Hello {
            field: "digest",
            expected: "16 bytes",
        })?;
        if hello.generation > MAX_GENERATION {
            return Err(Violation::Hello {
                field: "generation",
                expected: "at most 2^62",
            });
        }
        if hello.node.is_empty() {
            return Err(name_violation("node"));
        }
        Ok(Self {
            node: name("node", hello.node)?,
            instance: name("instance", hello.instance)?,
            build_version: name("build_version", hello.build_version)?,
            digest,
            generation: hello.generation,
            leader_unreachable: hello.leader_unreachable,
        })
    }
}

// What is said here is logged and shown, so it may not hold line breaks or terminal sequences.
fn name(field: &'static str, text: String) -> Result<String, Violation> {
    let fits = text.len() <= MAX_NAME && text.bytes().all(|byte| byte.is_ascii_graphic());
    if fits {
        Ok(text)
    } else {
        Err(name_violation(field))
    }
}

const fn name_violation(field: &'static str) -> Violation {
    Violation::Hello {
        field,
        expected: "at most 253 visible ASCII characters (for the node, at least one)",
    }
}

/// As long as a Kubernetes node's name.
const MAX_NAME: usize = 253;
/// Far above any that is counted to, and far enough below the end that counting on never gets there.
const MAX_GENERATION: u64 = 1 << 62;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use bytes::Bytes;

    use super::*;

    fn hello() -> wire::Hello {
        wire::Hello {
            node: "node-a".to_owned(),
            instance: "1f".to_owned(),
            build_version: "0.1.0".to_owned(),
            digest: Bytes::from_static(&[7; 16]),
            generation: 3,
            leader_unreachable: false,
        }
    }

    #[test]
    fn a_hello_is_parsed() {
        let introduction = Introduction::parse(hello()).unwrap();
        assert_eq!(introduction.node, "node-a");
        assert_eq!(introduction.digest.as_bytes(), &[7; 16]);
    }

    #[test]
    fn what_cannot_be_is_named() {
        let names = |field, hello| {
            let violation = Introduction::parse(hello).unwrap_err();
            assert!(violation.to_string().contains(field), "{violation}");
        };
        for node in ["", "a\nb", "\u{1b}[2J", &"a".repeat(300)] {
            let node = node.to_owned();
            names("node", wire::Hello { node, ..hello() });
        }
        let instance = "a b".to_owned();
        names(
            "instance",
            wire::Hello {
                instance,
                ..hello()
            },
        );
        let build_version = "1.0\t".to_owned();
        names(
            "build_version",
            wire::Hello {
                build_version,
                ..hello()
            },
        );
        let digest = Bytes::from_static(b"short");
        names("digest", wire::Hello { digest, ..hello() });
        let generation = u64::MAX;
        names(
            "generation",
            wire::Hello {
                generation,
                ..hello()
            },
        );
    }
}
