//! The listeners of the settings file: each by itself, and all beside each other.

use serde::Deserialize;
use serde_saphyr::Spanned;
use sluice_proto::{Listener, ListenerProtocol};

use crate::settings::SettingsError;
use crate::settings::value::{Address, Name, Number};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ListenerFile {
    name: Name,
    port: Number<65_535>,
    protocol: ProtocolFile,
    #[serde(default)]
    address: Address,
}

#[derive(Clone, Copy, Deserialize)]
enum ProtocolFile {
    #[serde(rename = "HTTP")]
    Http,
    #[serde(rename = "HTTPS")]
    Https,
}

/// Returns the listeners, if there are some and no two want the same name or the same socket.
pub(super) fn check(
    listeners: Spanned<Vec<Spanned<ListenerFile>>>,
) -> Result<Vec<Listener>, SettingsError> {
    let line = |line: u64| usize::try_from(line).unwrap_or(usize::MAX);
    if listeners.value.is_empty() {
        return Err(SettingsError {
            line: line(listeners.referenced.line()),
            field: "listeners".to_owned(),
            reason: "there must be at least one listener".to_owned(),
        });
    }
    let mut checked: Vec<Listener> = Vec::new();
    for (index, file) in listeners.value.into_iter().enumerate() {
        let error = |field: &str, reason: String| SettingsError {
            line: line(file.referenced.line()),
            field: format!("listeners[{index}].{field}"),
            reason,
        };
        let listener = file.value.to_listener();
        if checked.iter().any(|other| other.name == listener.name) {
            return Err(error(
                "name",
                format!("{} is the name of another one", listener.name),
            ));
        }
        let rival = checked.iter().find(|other| {
            other.port == listener.port
                && (other.address.is_none()
                    || listener.address.is_none()
                    || other.address == listener.address)
        });
        if let Some(rival) = rival {
            let reason = format!(
                "the listener {} has this port on this address, too",
                rival.name
            );
            return Err(error("port", reason));
        }
        checked.push(listener);
    }
    Ok(checked)
}

impl ListenerFile {
    fn to_listener(&self) -> Listener {
        Listener {
            name: self.name.0.as_str().into(),
            address: self.address.0,
            port: u16::try_from(self.port.0).unwrap_or(u16::MAX),
            protocol: match self.protocol {
                ProtocolFile::Http => ListenerProtocol::Http,
                ProtocolFile::Https => ListenerProtocol::Https,
            },
        }
    }
}
