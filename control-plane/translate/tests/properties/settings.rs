//! Makes Settings, most of them broken somewhere.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::Value;
use sluice_translate::{Custom, SettingsKind};

use crate::objects_strategy::metadata;

/// Settings of the edge and of a class, most of them broken somewhere.
pub(crate) fn settings() -> impl Strategy<Value = Custom<SettingsKind>> {
    (metadata(&["edge", "mine"]), any_spec()).prop_map(|(mut metadata, spec)| {
        metadata.namespace = None;
        Custom::new(metadata, spec)
    })
}

/// Anything in the places of the fields that settings have.
fn any_spec() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        select(VALUES).prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        (-1..70_000_i64).prop_map(Value::from),
        Just(Value::Null),
    ];
    leaf.prop_recursive(4, 40, 8, |inner| {
        let fields = vec((select(FIELDS), inner.clone()), 0..8);
        prop_oneof![
            4 => fields.prop_map(|fields| fields.into_iter().collect::<Value>()),
            1 => vec(inner, 0..4).prop_map(Value::from),
        ]
    })
}

const FIELDS: &[&str] = &[
    "listeners",
    "name",
    "port",
    "protocol",
    "address",
    "ingress",
    "controllers",
    "hostsAcrossNamespaces",
    "defaultCertificate",
    "namespace",
    "secretName",
    "missingCertificate",
    "tls",
    "minimumVersion",
    "trustedProxies",
    "ranges",
    "sets",
    "clientAddressHeader",
    "proxySets",
    "policies",
    "cloudflare",
    "date",
    "timeouts",
    "connect",
    "limits",
    "headerBytes",
    "accessLog",
    "enabled",
    "status",
    "addresses",
    "unknown",
];
const VALUES: &[&str] = &[
    "",
    "a",
    "s",
    "HTTP",
    "other",
    "TLS1.3",
    "RefuseHandshake",
    "cloudflare",
    "10.0.0.0/8",
    "X-Real-IP",
    "2026-01-31",
    "5s",
    "192.0.2.1",
];
