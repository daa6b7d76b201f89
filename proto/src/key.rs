//! The identity of a resource: its kind and its name.

use std::fmt;
use std::sync::Arc;

use crate::error::InvalidResource;
use crate::wire;

/// What a resource is. The order is the order on the wire and in introspection.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Kind {
    /// [`crate::Listener`].
    Listener,
    /// [`crate::Settings`].
    Settings,
    /// [`crate::Certificate`].
    Certificate,
    /// [`crate::Host`].
    Host,
    /// [`crate::Backend`].
    Backend,
    /// [`crate::Endpoints`].
    Endpoints,
    /// [`crate::Policy`].
    Policy,
    /// [`crate::Route`].
    Route,
}

impl Kind {
    /// All kinds, in order.
    pub const ALL: [Self; 8] = [
        Self::Listener,
        Self::Settings,
        Self::Certificate,
        Self::Host,
        Self::Backend,
        Self::Endpoints,
        Self::Policy,
        Self::Route,
    ];

    /// Returns the kind as the wire names it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Listener => "listener",
            Self::Settings => "settings",
            Self::Certificate => "certificate",
            Self::Host => "host",
            Self::Backend => "backend",
            Self::Endpoints => "endpoints",
            Self::Policy => "policy",
            Self::Route => "route",
        }
    }

    /// Returns the kind that the wire names so, if this build knows it.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The identity of a resource. Ordered by kind, then name.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ResourceKey {
    /// What it is.
    pub kind: Kind,
    /// Its name, unique within the kind; not empty.
    pub name: Arc<str>,
}

impl ResourceKey {
    /// Returns the key of this kind and name.
    pub fn new(kind: Kind, name: impl Into<Arc<str>>) -> Self {
        Self {
            kind,
            name: name.into(),
        }
    }
}

impl fmt::Display for ResourceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}

impl From<&ResourceKey> for wire::ResourceKey {
    fn from(key: &ResourceKey) -> Self {
        Self {
            kind: key.kind.as_str().to_owned(),
            name: key.name.to_string(),
        }
    }
}

impl TryFrom<&wire::ResourceKey> for ResourceKey {
    type Error = InvalidResource;

    fn try_from(key: &wire::ResourceKey) -> Result<Self, InvalidResource> {
        let kind =
            Kind::parse(&key.kind).ok_or_else(|| InvalidResource::UnknownKind(key.kind.clone()))?;
        if key.name.is_empty() {
            return Err(InvalidResource::NameEmpty);
        }
        Ok(Self::new(kind, key.name.as_str()))
    }
}
