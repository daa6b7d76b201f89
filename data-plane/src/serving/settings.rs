//! Settings as they are served: those of the whole edge, or of the routes of one class.

use std::collections::BTreeMap;
use std::sync::Arc;

use sluice_proto::{Settings, SettingsName};
use sluice_routing::TrustedPeers;

/// Settings, and what is made of them before a request comes.
#[derive(Debug, Default)]
pub(crate) struct ServedSettings {
    pub(crate) settings: Arc<Settings>,
    /// Who may say who the client is.
    pub(crate) trusted: TrustedPeers,
}

/// All settings that were accepted.
#[derive(Debug, Default)]
pub(crate) struct AllSettings {
    edge: Arc<ServedSettings>,
    of_classes: BTreeMap<SettingsName, Arc<ServedSettings>>,
}

impl ServedSettings {
    fn new(settings: Settings) -> Self {
        Self {
            trusted: TrustedPeers::new(
                settings.trusted_ranges.clone(),
                &settings.client_address_header,
            ),
            settings: Arc::new(settings),
        }
    }
}

impl AllSettings {
    /// Returns those of the whole edge: the defaults, before there are any.
    pub(crate) const fn edge(&self) -> &Arc<ServedSettings> {
        &self.edge
    }

    /// Returns those of this name, if there are any.
    pub(crate) fn find(&self, name: &SettingsName) -> Option<&Arc<ServedSettings>> {
        if name.is_edge() {
            return Some(&self.edge);
        }
        self.of_classes.get(name)
    }

    pub(crate) fn insert(&mut self, settings: Settings) {
        let name = settings.name.clone();
        let served = Arc::new(ServedSettings::new(settings));
        if name.is_edge() {
            self.edge = served;
        } else {
            self.of_classes.insert(name, served);
        }
    }

    pub(crate) fn remove(&mut self, name: &str) {
        let known = self.of_classes.keys().find(|known| known.as_str() == name);
        match known.cloned() {
            Some(known) => drop(self.of_classes.remove(&known)),
            None => self.edge = Arc::default(),
        }
    }
}
