//! The name of settings: whose they are, and what hosts and routes call them.

use std::fmt;
use std::sync::Arc;

/// The name of settings: those of the whole edge, or of one IngressClass.
#[derive(Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct SettingsName(Option<Arc<str>>);

impl SettingsName {
    /// Those of the whole edge.
    pub const EDGE: Self = Self(None);

    /// Returns the name of the settings of this IngressClass.
    #[must_use]
    pub fn of_class(class: &str) -> Self {
        Self(Some(format!("class/{class}").into()))
    }

    /// Returns whether they are those of the whole edge.
    #[must_use]
    pub const fn is_edge(&self) -> bool {
        self.0.is_none()
    }

    /// Returns the name as the key of the resource has it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_deref().unwrap_or(EDGE)
    }

    /// Returns the name that the wire has, where nothing stands for the whole edge.
    pub(crate) fn parse(name: &str) -> Self {
        Self((!name.is_empty() && name != EDGE).then(|| name.into()))
    }

    /// Returns the name as hosts and routes have it.
    pub(crate) fn to_wire(&self) -> String {
        self.0.as_deref().unwrap_or_default().to_owned()
    }
}

impl fmt::Display for SettingsName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

const EDGE: &str = "edge";
