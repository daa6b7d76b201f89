//! What one data plane holds: the snapshot that it was brought to, but for what it holds otherwise.

use std::collections::BTreeMap;
use std::sync::Arc;

use sluice_proto::{Difference, Holdings, ResourceKey, Snapshot, Version};

/// What a data plane holds. What it lacks costs what changes, however much there is.
#[derive(Debug, Default)]
pub(crate) struct Held {
    snapshot: Snapshot,
    /// What it holds instead of what the snapshot says; `None` for nothing.
    otherwise: BTreeMap<ResourceKey, Option<Version>>,
}

impl Held {
    /// Returns the version of this resource that it holds, if any.
    fn version(&self, key: &ResourceKey) -> Option<Version> {
        match self.otherwise.get(key) {
            Some(version) => *version,
            None => self.snapshot.entry(key).map(|entry| entry.version()),
        }
    }

    /// Takes in that it was brought to this snapshot, but for these resources: of them it holds what it held.
    pub(crate) fn brought_to<'a>(
        &mut self,
        snapshot: Snapshot,
        but_for: impl Iterator<Item = &'a ResourceKey>,
    ) {
        let otherwise = but_for
            .map(|key| (key.clone(), self.version(key)))
            .collect();
        *self = Self {
            snapshot,
            otherwise,
        };
    }

    /// Returns what it lacks to hold the target.
    pub(crate) fn lacks(&self, target: &Snapshot) -> Difference {
        let mut difference = target.changes_since(&self.snapshot);
        if self.otherwise.is_empty() {
            return difference;
        }
        let is_known = |key: &ResourceKey| !self.otherwise.contains_key(key);
        difference.upserted.retain(|(key, _)| is_known(key));
        difference.removed.retain(is_known);
        for (key, version) in &self.otherwise {
            match target.entry(key) {
                Some(entry) if Some(entry.version()) != *version => {
                    difference.upserted.push((key.clone(), Arc::clone(entry)));
                }
                None if version.is_some() => difference.removed.push(key.clone()),
                Some(_) | None => {}
            }
        }
        difference.upserted.sort_by(|(a, _), (b, _)| a.cmp(b));
        difference.removed.sort();
        difference
    }
}

impl From<Snapshot> for Held {
    fn from(snapshot: Snapshot) -> Self {
        Self {
            snapshot,
            otherwise: BTreeMap::new(),
        }
    }
}

impl From<&Holdings> for Held {
    fn from(holdings: &Holdings) -> Self {
        let held = holdings.iter();
        Self {
            snapshot: Snapshot::default(),
            otherwise: held
                .map(|(key, version)| (key.clone(), Some(version)))
                .collect(),
        }
    }
}
