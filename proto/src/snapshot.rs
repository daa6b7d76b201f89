//! A snapshot: all resources that a data plane should hold.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use imbl::OrdMap;
use imbl::ordmap::DiffItem;

use crate::delta::Difference;
use crate::error::InvalidResource;
use crate::key::ResourceKey;
use crate::resource::Resource;
use crate::version::Version;
use crate::wire;

/// All resources that a data plane should hold, encoded. Cloning costs nothing, and two that differ by a few resources
/// share all the others: a change costs what changes, however much there is.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Snapshot {
    entries: OrdMap<ResourceKey, Arc<Entry>>,
}

/// One resource of a snapshot, encoded. `Debug` shows no body.
#[derive(Clone, Eq, PartialEq)]
pub struct Entry {
    version: Version,
    body: Bytes,
}

impl Entry {
    /// Returns the entry of this body.
    #[must_use]
    pub fn new(body: Bytes) -> Self {
        Self {
            version: Version::of(&body),
            body,
        }
    }

    /// Returns the hash of the body.
    #[must_use]
    pub const fn version(&self) -> Version {
        self.version
    }

    /// Returns the encoded message.
    #[must_use]
    pub const fn body(&self) -> &Bytes {
        &self.body
    }
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Entry({})", self.version)
    }
}

/// What somebody holds: which resources, in which version.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Holdings {
    versions: BTreeMap<ResourceKey, Version>,
}

impl Snapshot {
    /// Returns the snapshot of these resources. Of two with the same key, the later one counts.
    #[must_use]
    pub fn of<'a>(resources: impl IntoIterator<Item = &'a Resource>) -> Self {
        resources
            .into_iter()
            .map(|resource| (resource.key(), Arc::new(Entry::new(resource.body()))))
            .collect()
    }

    /// Returns the entry of this key.
    #[must_use]
    pub fn entry(&self, key: &ResourceKey) -> Option<&Arc<Entry>> {
        self.entries.get(key)
    }

    /// Returns all entries, sorted by key.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&ResourceKey, &Arc<Entry>)> {
        self.entries.iter()
    }

    /// Returns how many resources it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Puts an entry in the place of the one of this key, if there is one.
    pub fn insert(&mut self, key: ResourceKey, entry: Arc<Entry>) -> Option<Arc<Entry>> {
        self.entries.insert(key, entry)
    }

    /// Takes the entry of this key out.
    pub fn remove(&mut self, key: &ResourceKey) -> Option<Arc<Entry>> {
        self.entries.remove(key)
    }

    /// Returns which resources it holds, in which version.
    #[must_use]
    pub fn holdings(&self) -> Holdings {
        self.iter()
            .map(|(key, entry)| (key.clone(), entry.version))
            .collect()
    }

    /// Returns the digest: the hash over all keys and versions.
    #[must_use]
    pub fn digest(&self) -> Version {
        digest(self.iter().map(|(key, entry)| (key, entry.version)))
    }

    /// Returns what makes this snapshot of an earlier one, at the price of what they do not share.
    #[must_use]
    pub fn changes_since(&self, earlier: &Self) -> Difference {
        let mut difference = Difference::default();
        for item in earlier.entries.diff(&self.entries) {
            match item {
                DiffItem::Add(key, entry)
                | DiffItem::Update {
                    new: (key, entry), ..
                } => difference.upserted.push((key.clone(), Arc::clone(entry))),
                DiffItem::Remove(key, _) => difference.removed.push(key.clone()),
            }
        }
        difference
    }

    /// Applies a difference.
    pub fn apply(&mut self, difference: Difference) {
        for key in difference.removed {
            self.entries.remove(&key);
        }
        self.entries.extend(difference.upserted);
    }
}

impl FromIterator<(ResourceKey, Arc<Entry>)> for Snapshot {
    fn from_iter<I: IntoIterator<Item = (ResourceKey, Arc<Entry>)>>(entries: I) -> Self {
        Self {
            entries: entries.into_iter().collect(),
        }
    }
}

impl Holdings {
    /// Returns all keys and versions, sorted by key.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&ResourceKey, Version)> {
        self.versions.iter().map(|(key, version)| (key, *version))
    }

    /// Returns the digest: the same as that of the snapshot that holds just this.
    #[must_use]
    pub fn digest(&self) -> Version {
        digest(self.iter())
    }
}

impl FromIterator<(ResourceKey, Version)> for Holdings {
    fn from_iter<I: IntoIterator<Item = (ResourceKey, Version)>>(versions: I) -> Self {
        Self {
            versions: versions.into_iter().collect(),
        }
    }
}

impl From<&Holdings> for wire::Holdings {
    fn from(holdings: &Holdings) -> Self {
        let holding = |(key, version): (&ResourceKey, Version)| wire::Holding {
            key: Some(key.into()),
            version: Bytes::copy_from_slice(version.as_bytes()),
        };
        Self {
            holdings: holdings.iter().map(holding).collect(),
        }
    }
}

impl From<&wire::Holdings> for Holdings {
    /// What is not understood counts as not held, so that it is sent again.
    fn from(holdings: &wire::Holdings) -> Self {
        let holding = |holding: &wire::Holding| {
            let key = ResourceKey::try_from(holding.key.as_ref()?).ok()?;
            Some((key, Version::from_bytes(&holding.version)?))
        };
        holdings.holdings.iter().filter_map(holding).collect()
    }
}

/// Parses the identity and checks the hash of a resource from the wire.
pub(crate) fn entry_from_wire(
    resource: wire::Resource,
) -> Result<(ResourceKey, Arc<Entry>), InvalidResource> {
    let key = resource
        .key
        .as_ref()
        .ok_or(InvalidResource::Missing("key"))?
        .try_into()?;
    let entry = Entry::new(resource.body);
    if entry.version.as_bytes() != &*resource.version {
        return Err(InvalidResource::Version);
    }
    Ok((key, Arc::new(entry)))
}

fn digest<'a>(entries: impl Iterator<Item = (&'a ResourceKey, Version)>) -> Version {
    let mut hasher = blake3::Hasher::new();
    for (key, version) in entries {
        // A zero byte ends each name, so that no two lists of names run into the same bytes.
        hasher.update(key.kind.as_str().as_bytes());
        hasher.update(&[0]);
        hasher.update(key.name.as_bytes());
        hasher.update(&[0]);
        hasher.update(version.as_bytes());
    }
    Version::truncate(&hasher.finalize())
}
