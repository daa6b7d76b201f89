//! Makes Policies, and what names them and what they name.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::Value;
use sluice_translate::{Custom, Object, PolicyKind, SettingsKind};

use crate::objects_strategy::{ingress, metadata, secret, service};

/// Policies that meet each other, with several fields each, some of them broken.
pub(crate) fn any_policy() -> impl Strategy<Value = Custom<PolicyKind>> {
    let fields = vec(select(FIELDS), 0..4).prop_map(|fields| {
        let fields = fields.into_iter().map(|(name, text)| {
            let value: Value = serde_json::from_str(text).unwrap();
            (name.to_owned(), value)
        });
        fields.collect::<Value>()
    });
    let spec = prop_oneof![8 => fields, 1 => Just(Value::from("text"))];
    (metadata(NAMES), spec).prop_map(|(metadata, spec)| Custom::new(metadata, spec))
}

/// Annotations of this dialect: some that name Policies, some that are short for their fields.
pub(crate) fn any_annotations() -> impl Strategy<Value = BTreeMap<String, String>> {
    let list = vec(select(&["p", "q", "a/p", "b/p", "b/q", "-/-"][..]), 0..3);
    let shorts = vec(select(SHORTS), 0..4);
    (list, shorts).prop_map(|(list, shorts)| {
        let mut all: BTreeMap<_, _> = shorts
            .into_iter()
            .map(|(name, value)| (format!("{PREFIX}{name}"), value.to_owned()))
            .collect();
        if !list.is_empty() {
            all.insert(format!("{PREFIX}policies"), list.join(", "));
        }
        all
    })
}

/// What Policies have to do with, in the ways that lead to policies.
pub(crate) fn any_guarded() -> impl Strategy<Value = Object> {
    let guarded = (ingress(), any_annotations()).prop_map(|(mut ingress, annotations)| {
        ingress.metadata.annotations = Some(annotations);
        ingress.spec.get_or_insert_default().ingress_class_name = Some("ours".to_owned());
        Object::Ingress(ingress)
    });
    let references = vec(select(&[("a", "p"), ("b", "q")][..]), 0..3);
    let settings = (metadata(&["edge", "mine"]), references).prop_map(|(mut metadata, named)| {
        metadata.namespace = None;
        let named = named.into_iter();
        let named: Vec<_> = named
            .map(|(namespace, name)| serde_json::json!({"namespace": namespace, "name": name}))
            .collect();
        let spec = serde_json::json!({ "policies": named });
        Object::Settings(Custom::<SettingsKind>::new(metadata, spec))
    });
    prop_oneof![
        3 => guarded,
        3 => any_policy().prop_map(Object::Policy),
        1 => settings,
        1 => secret().prop_map(Object::Secret),
        1 => service().prop_map(Object::Service),
    ]
}

const PREFIX: &str = "ingress.sluice.dev/";
const NAMES: &[&str] = &["p", "q"];
const FIELDS: &[(&str, &str)] = &[
    ("shareWith", r#"["b"]"#),
    ("shareWith", r#"["*"]"#),
    ("rateLimit", r#"{"requests": 1}"#),
    ("rateLimit", r#"{"requests": 0}"#),
    ("addresses", r#"{"allow": ["10.0.0.0/8", "cloudflare"]}"#),
    ("addresses", r#"{"deny": ["nobody"]}"#),
    ("clientCertificates", r#"{"caSecret": "s"}"#),
    (
        "clientCertificates",
        r#"{"caSecret": "t", "optional": true}"#,
    ),
    ("basicAuth", r#"{"secret": "s"}"#),
    ("basicAuth", r#"{"secret": "t"}"#),
    (
        "forwardAuth",
        r#"{"url": "https://auth.example", "caSecret": "s"}"#,
    ),
    (
        "forwardAuth",
        r#"{"service": {"name": "x", "namespace": "a", "port": 80}}"#,
    ),
    ("rewrite", r#"{"stripPrefix": ["/a"], "addPrefix": "/b"}"#),
    ("securityHeaders", r#"{"preset": "strict"}"#),
    (
        "responseHeaders",
        r#"{"set": {"X-A": "1"}, "remove": ["X-B"]}"#,
    ),
    ("compression", "{}"),
    ("cors", r#"{"origins": ["*"]}"#),
    ("retry", r#"{"attempts": 2}"#),
    ("timeouts", r#"{"request": "1s"}"#),
    ("timeouts", r#"{"request": 1}"#),
    ("upstreamTls", r#"{"serverName": "x.example"}"#),
    (
        "upstreamTls",
        r#"{"caSecret": "s", "certificateSecret": "t"}"#,
    ),
    ("sticky", "{}"),
    (
        "canary",
        r#"{"service": {"name": "x", "port": 80}, "weight": 10}"#,
    ),
    (
        "canary",
        r#"{"service": {"name": "y", "port": 81}, "weight": 100}"#,
    ),
    ("unknown", "{}"),
];
const SHORTS: &[(&str, &str)] = &[
    ("rate-limit", "100/1m"),
    ("rate-limit", "many"),
    ("allow", "10.0.0.0/8, cloudflare"),
    ("deny", "nobody"),
    ("client-certificates", "s"),
    ("basic-auth", "s"),
    ("forward-auth", "http://auth.example"),
    ("https-redirect", "true"),
    ("strip-prefix", "/a"),
    ("compression", "true"),
    ("upstream-tls", "s"),
    ("sticky", "true"),
    ("sticky", ""),
    ("canary", "x:80 10"),
    ("canary", "y:81 20"),
    ("unknown", "x"),
];
