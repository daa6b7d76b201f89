//! All objects that translation reads, as they are now, without what it does not read.
//!
//! It does not hold resources or problems: [`crate::translate`] makes them.

use std::collections::BTreeSet;

use sluice_proto::ObjectReference;

use crate::object::Object;
use crate::settings::EdgeSettings;

/// All objects that translation reads, as they are now.
#[derive(Clone, Debug, Default)]
pub struct Objects {
    denied: BTreeSet<String>,
    changed_services: BTreeSet<(String, String)>,
}

/// What must be translated again after a change.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[must_use]
pub enum Change {
    /// Nothing: nobody refers to it, or nothing that is read changed.
    Nothing,
    /// The endpoints of the Services that [`Objects::take_changed_services`] returns.
    Endpoints,
    /// Everything.
    Everything,
}

impl Objects {
    /// Takes in a new or changed object.
    pub fn apply(&mut self, object: Object) -> Change {
        let _ = object;
        Change::Everything
    }

    /// Forgets an object.
    pub fn remove(&mut self, object: &ObjectReference) -> Change {
        let _ = object;
        Change::Everything
    }

    /// Says which Ingresses are served, so that changes of what only others refer to are [`Change::Nothing`]. Until it is
    /// called, every Ingress counts as served.
    pub fn follow_settings(&mut self, settings: &EdgeSettings) -> Change {
        let _ = settings;
        Change::Everything
    }

    /// Notes that Secrets of this namespace cannot be read.
    pub fn deny_secrets(&mut self, namespace: &str) -> Change {
        match self.denied.insert(namespace.to_owned()) {
            true => Change::Everything,
            false => Change::Nothing,
        }
    }

    /// Notes that Secrets of this namespace can be read.
    pub fn allow_secrets(&mut self, namespace: &str) -> Change {
        match self.denied.remove(namespace) {
            true => Change::Everything,
            false => Change::Nothing,
        }
    }

    /// Returns the Services (namespace, name) whose endpoints changed since the last call.
    pub fn take_changed_services(&mut self) -> BTreeSet<(String, String)> {
        std::mem::take(&mut self.changed_services)
    }
}
