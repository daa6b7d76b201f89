//! The difference of two snapshots, and its way over the wire.

use std::sync::Arc;

use bytes::Bytes;

use crate::key::ResourceKey;
use crate::snapshot::{Entry, entry_from_wire};
use crate::version::Version;
use crate::wire;

/// What makes one snapshot of another.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Difference {
    /// New and changed resources.
    pub upserted: Vec<(ResourceKey, Arc<Entry>)>,
    /// Resources that are no more.
    pub removed: Vec<ResourceKey>,
}

impl Difference {
    /// Returns whether it changes nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.upserted.is_empty() && self.removed.is_empty()
    }

    /// Returns the messages that carry it, in chunks with bodies of about `chunk_bytes`; at least one.
    #[must_use]
    pub fn into_wire(self, generation: u64, chunk_bytes: usize) -> Vec<wire::Delta> {
        let mut chunks = vec![wire::Delta {
            generation,
            removed: self.removed.iter().map(Into::into).collect(),
            ..wire::Delta::default()
        }];
        let mut size = 0;
        for (key, entry) in &self.upserted {
            if size >= chunk_bytes {
                size = 0;
                if let Some(last) = chunks.last_mut() {
                    last.more = true;
                }
                chunks.push(wire::Delta {
                    generation,
                    ..wire::Delta::default()
                });
            }
            size += entry.body().len();
            if let Some(last) = chunks.last_mut() {
                last.upserted.push(resource(key, entry));
            }
        }
        chunks
    }

    /// Takes in one message of those that carry a difference; what it cannot take is refused alone.
    #[must_use]
    pub fn extend_from_wire(&mut self, delta: wire::Delta) -> Vec<Refusal> {
        let mut refused = Vec::new();
        for resource in delta.upserted {
            let key = resource.key.clone().unwrap_or_default();
            let version = resource.version.clone();
            match entry_from_wire(resource) {
                Ok(upserted) => self.upserted.push(upserted),
                Err(error) => refused.push(Refusal {
                    kind: key.kind,
                    name: key.name,
                    version,
                    reason: error.reason(),
                }),
            }
        }
        // A resource of a kind that this build does not know was refused when it came, so it is not there to remove.
        let removed = delta.removed.iter().filter_map(|key| key.try_into().ok());
        self.removed.extend(removed);
        refused
    }
}

/// A resource that a data plane cannot accept. It may be of an unknown kind, so nothing here is parsed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refusal {
    /// Its kind, as sent.
    pub kind: String,
    /// Its name, as sent.
    pub name: String,
    /// Its version, as sent.
    pub version: Bytes,
    /// Why.
    pub reason: String,
}

impl Refusal {
    /// Returns the refusal of this version of this resource.
    #[must_use]
    pub fn new(key: &ResourceKey, version: Version, reason: String) -> Self {
        Self {
            kind: key.kind.as_str().to_owned(),
            name: key.name.to_string(),
            version: Bytes::copy_from_slice(version.as_bytes()),
            reason,
        }
    }
}

impl From<Refusal> for wire::Refusal {
    fn from(refusal: Refusal) -> Self {
        Self {
            key: Some(wire::ResourceKey {
                kind: refusal.kind,
                name: refusal.name,
            }),
            version: refusal.version,
            reason: refusal.reason,
        }
    }
}

impl From<wire::Refusal> for Refusal {
    fn from(refusal: wire::Refusal) -> Self {
        let key = refusal.key.unwrap_or_default();
        Self {
            kind: key.kind,
            name: key.name,
            version: refusal.version,
            reason: refusal.reason,
        }
    }
}

fn resource(key: &ResourceKey, entry: &Entry) -> wire::Resource {
    wire::Resource {
        key: Some(key.into()),
        version: Bytes::copy_from_slice(entry.version().as_bytes()),
        body: entry.body().clone(),
    }
}
