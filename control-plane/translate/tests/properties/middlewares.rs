//! Makes Middlewares and other objects of Traefik, and what names them and what they name.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use sluice_translate::{Middleware, Object, ServersTransport, TlsOption};

use crate::objects_strategy::{ingress, metadata, secret};

/// Objects of Traefik, of any kind.
pub(crate) fn any_of_traefik() -> impl Strategy<Value = Object> {
    prop_oneof![
        4 => any_middleware().prop_map(Object::Middleware),
        1 => any_transport().prop_map(Object::ServersTransport),
        1 => any_option().prop_map(Object::TlsOption),
    ]
}

/// Middlewares that meet each other, and may have the same id.
fn any_middleware() -> impl Strategy<Value = Middleware> {
    let spec = prop_oneof![
        2 => select(MIDDLEWARES).prop_map(|text| serde_json::from_str(text).unwrap()),
        1 => vec(select(&["m", "b-m", "n"][..]), 0..3).prop_map(|names| {
            let links = names.into_iter().map(|name| serde_json::json!({ "name": name }));
            serde_json::json!({ "chain": { "middlewares": links.collect::<Vec<_>>() } })
        }),
        1 => Just(serde_json::json!({ "chain": { "middlewares": [
            { "name": "m", "namespace": "b" }, { "name": "a-b-m@kubernetescrd" }, { "name": "x@file" },
        ] } })),
    ];
    let namespaced = (metadata(&["m", "b-m", "n"]), any::<bool>());
    (namespaced, spec).prop_map(|((mut metadata, is_ambiguous), spec)| {
        if is_ambiguous {
            metadata.namespace = Some("a-b".to_owned());
        }
        Middleware::new(metadata, spec)
    })
}

/// ServersTransports, most of them broken.
fn any_transport() -> impl Strategy<Value = ServersTransport> {
    let spec = select(TRANSPORTS).prop_map(|text| serde_json::from_str(text).unwrap());
    (metadata(&["m", "b-m", "n"]), spec)
        .prop_map(|(metadata, spec)| ServersTransport::new(metadata, spec))
}

/// TLSOptions, some of them broken.
fn any_option() -> impl Strategy<Value = TlsOption> {
    let spec = select(TLS_OPTIONS).prop_map(|text| serde_json::from_str(text).unwrap());
    (metadata(&["m", "b-m", "n"]), spec).prop_map(|(metadata, spec)| TlsOption::new(metadata, spec))
}

/// Annotations that name some.
pub(crate) fn any_list() -> impl Strategy<Value = BTreeMap<String, String>> {
    let list = vec(select(MIDDLEWARE_NAMES), 1..4).prop_map(|names| names.join(","));
    let list = (select(LISTS), list).prop_map(|(key, list)| (key.to_owned(), list));
    let other = select(OTHERS).prop_map(|(key, value)| (key.to_owned(), value.to_owned()));
    vec(prop_oneof![2 => list, 1 => other], 1..4).prop_map(BTreeMap::from_iter)
}

/// What Middlewares have to do with, in the ways that lead to policies.
pub(crate) fn any_guarded() -> impl Strategy<Value = Object> {
    let list = vec(
        select(&["a-m@kubernetescrd", "b-n@kubernetescrd"][..]),
        0..3,
    );
    let guarded = (ingress(), list).prop_map(|(mut ingress, list)| {
        let list = BTreeMap::from([(LISTS[0].to_owned(), list.join(","))]);
        ingress.metadata.annotations = Some(list);
        ingress.spec.get_or_insert_default().ingress_class_name = Some("ours".to_owned());
        Object::Ingress(ingress)
    });
    let works = (
        select(&[("a", "m"), ("b", "n")][..]),
        select(&MIDDLEWARES[..6]),
    );
    let works = works.prop_map(|((namespace, name), text)| {
        let metadata = ObjectMeta {
            namespace: Some(namespace.to_owned()),
            name: Some(name.to_owned()),
            ..ObjectMeta::default()
        };
        let spec = serde_json::from_str(text).unwrap();
        Object::Middleware(Middleware::new(metadata, spec))
    });
    prop_oneof![guarded, works, secret().prop_map(Object::Secret)]
}

const LISTS: &[&str] = &[
    "traefik.ingress.kubernetes.io/router.middlewares",
    "traefik.ingress.kubernetes.io/router.middlewares",
    "traefik.ingress.kubernetes.io/service.middlewares",
];
/// The third may be two Middlewares.
const MIDDLEWARE_NAMES: &[&str] = &[
    "a-m@kubernetescrd",
    "b-n@kubernetescrd",
    "a-b-m@kubernetescrd",
    "a-b-n@kubernetescrd",
    "x@file",
];
const OTHERS: &[(&str, &str)] = &[
    (TRANSPORT, "a-m@kubernetescrd"),
    (TRANSPORT, "a-b-m@kubernetescrd"),
    (OPTIONS, "a-m@kubernetescrd"),
    (OPTIONS, "a-b-m@kubernetescrd"),
    (SCHEME, "https"),
    (SCHEME, "h2c"),
    (HOST, "false"),
    (COOKIE, "true"),
    (COOKIE_PATH, "/a"),
    (COOKIE_PATH, "a;b"),
];
const TRANSPORT: &str = "traefik.ingress.kubernetes.io/service.serverstransport";
const SCHEME: &str = "traefik.ingress.kubernetes.io/service.serversscheme";
const HOST: &str = "traefik.ingress.kubernetes.io/service.passhostheader";
const COOKIE: &str = "traefik.ingress.kubernetes.io/service.sticky.cookie";
const COOKIE_PATH: &str = "traefik.ingress.kubernetes.io/service.sticky.cookie.path";
const OPTIONS: &str = "traefik.ingress.kubernetes.io/router.tls.options";
const TLS_OPTIONS: &[&str] = &[
    r#"{"clientAuth": {"secretNames": ["s"]}}"#,
    r#"{"clientAuth": {"clientAuthType": "RequestClientCert"}, "minVersion": "VersionTLS13"}"#,
    r#"{"clientAuth": {"clientAuthType": "RequireAndVerifyClientCert"}}"#,
    "{}",
];
const TRANSPORTS: &[&str] = &[
    r#"{"insecureSkipVerify": true}"#,
    r#"{"serverName": "web.example", "forwardingTimeouts": {}}"#,
    r#"{"rootCAs": [{"secret": "s"}], "certificatesSecrets": ["t"]}"#,
    r#"{"serverName": "a b"}"#,
    "null",
];
const MIDDLEWARES: &[&str] = &[
    r#"{"rateLimit": {"average": 1}}"#,
    r#"{"ipAllowList": {"sourceRange": ["10.0.0.0/8"]}}"#,
    r#"{"headers": {"frameDeny": true, "sslRedirect": true, "addVaryHeader": true}}"#,
    r#"{"addPrefix": {"prefix": "/a"}}"#,
    r#"{"basicAuth": {"secret": "s"}}"#,
    r#"{"basicAuth": {"secret": "t", "realm": "r"}}"#,
    r#"{"forwardAuth": {"address": "https://auth.example", "tls": {"caSecret": "s", "certSecret": "t"}}}"#,
    r#"{"compress": {}}"#,
    r#"{"compress": {"encodings": []}}"#,
    r#"{"ipAllowList": {}}"#,
    r#"{"plugin": {}}"#,
    "null",
];
