//! The listeners that settings name: each by itself, and all beside each other.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{DeserializeSeed, Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use sluice_proto::{Listener, ListenerProtocol};

use crate::settings::value::{Address, Name, Number};

/// Some listeners: no two want the same name or the same socket.
#[derive(Clone, Debug)]
pub(super) struct Listeners(pub(super) Vec<Listener>);

impl<'de> Deserialize<'de> for Listeners {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let listeners = deserializer.deserialize_seq(All)?;
        if listeners.is_empty() {
            return Err(D::Error::custom("there must be at least one listener"));
        }
        Ok(Self(listeners))
    }
}

impl JsonSchema for Listeners {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Listeners".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "array",
            "items": generator.subschema_for::<ListenerSpec>(),
            "minItems": 1,
            "maxItems": 16,
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
            "x-kubernetes-validations": [{
                "rule": "self.all(a, self.all(b, a.name == b.name || a.port != b.port || (has(a.address) && has(b.address) \
                    && a.address != '' && b.address != '' && a.address != b.address)))",
                "message": "two listeners may not have the same port on the same address",
            }],
        })
    }
}

/// One listener.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ListenerSpec {
    /// What flags and problems call it.
    name: Name,
    /// Its port.
    port: Number<65_535>,
    /// What is spoken there.
    protocol: ProtocolSpec,
    /// One address of the node.
    #[serde(default)]
    #[schemars(extend("x-default" = "every address of the node"))]
    address: Address,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
enum ProtocolSpec {
    #[serde(rename = "HTTP")]
    Http,
    #[serde(rename = "HTTPS")]
    Https,
}

struct All;

impl<'de> Visitor<'de> for All {
    type Value = Vec<Listener>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of listeners")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<Listener>, A::Error> {
        let mut listeners = Vec::new();
        while let Some(next) = seq.next_element_seed(Beside(&listeners))? {
            listeners.push(next);
        }
        Ok(listeners)
    }
}

/// One more listener, beside these.
struct Beside<'a>(&'a [Listener]);

impl<'de> DeserializeSeed<'de> for Beside<'_> {
    type Value = Listener;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Listener, D::Error> {
        let listener = ListenerSpec::deserialize(deserializer)?.into_listener();
        if self.0.iter().any(|other| other.name == listener.name) {
            let reason = format!("{} is the name of another listener", listener.name);
            return Err(D::Error::custom(reason));
        }
        let rival = self.0.iter().find(|other| {
            other.port == listener.port
                && (other.address.is_none()
                    || listener.address.is_none()
                    || other.address == listener.address)
        });
        if let Some(rival) = rival {
            let reason = format!(
                "the listener {} has the port {} on this address, too",
                rival.name, rival.port
            );
            return Err(D::Error::custom(reason));
        }
        Ok(listener)
    }
}

impl ListenerSpec {
    fn into_listener(self) -> Listener {
        Listener {
            name: self.name.0.as_str().into(),
            address: self.address.0,
            port: u16::try_from(self.port.0).unwrap_or(u16::MAX),
            protocol: match self.protocol {
                ProtocolSpec::Http => ListenerProtocol::Http,
                ProtocolSpec::Https => ListenerProtocol::Https,
            },
        }
    }
}
