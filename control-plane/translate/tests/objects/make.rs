//! Objects that refer to each other, and what becomes of them.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use sluice_proto::{CertificateMaterial, ObjectReference};
use sluice_translate::{
    Changed, EdgeSettings, Object, Objects, Options, Translation, parse_objects, retranslate,
    translate,
};

/// Translates what changed, checks that it is what a translation from scratch gives, and returns what was made anew, and
/// with a minus what is gone.
pub(crate) fn rebuilt(objects: &mut Objects, before: &Translation) -> Vec<String> {
    let options = options(EdgeSettings::default());
    let changed = objects.take_changed();
    let after = retranslate(objects, before, changed);
    assert_eq!(after, translate(objects, &options));
    let mut rebuilt = Vec::new();
    for (key, resource) in &after.resources {
        let old = before.resources.get(key);
        let is_same = old.is_some_and(|old| Arc::ptr_eq(resource, old));
        if !is_same {
            rebuilt.push(key.to_string());
        }
        let (entry, old) = (after.snapshot.entry(key), before.snapshot.entry(key));
        let is_same_entry = old.is_some_and(|old| Arc::ptr_eq(entry.unwrap(), old));
        assert_eq!(is_same_entry, is_same, "{key}");
    }
    let gone = before.resources.keys();
    let gone = gone.filter(|key| !after.resources.contains_key(*key));
    rebuilt.extend(gone.map(|key| format!("-{key}")));
    rebuilt
}

pub(crate) fn served() -> Objects {
    let mut objects = Objects::default();
    let _ = objects.follow_settings(&EdgeSettings::default());
    for text in [
        CLASS,
        INGRESS,
        &service("web", 80),
        &slice("web-1", "web", "10.0.0.1", ""),
    ] {
        let _ = objects.apply(object(text));
    }
    let _ = objects.take_changed();
    objects
}

pub(crate) fn object(text: &str) -> Object {
    let mut parsed = parse_objects(text);
    assert_eq!(parsed.problems, [], "{text}");
    parsed.objects.pop().unwrap()
}

pub(crate) fn service(name: &str, port: u16) -> String {
    format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\nspec: {{ports: [{{port: {port}}}]}}\n"
    )
}

pub(crate) fn slice(name: &str, service: &str, address: &str, more: &str) -> String {
    format!(
        "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n\
         metadata: {{name: {name}, labels: {{kubernetes.io/service-name: '{service}'}}}}\n\
         addressType: IPv4\nports: [{{port: 8080}}]\nendpoints: [{{addresses: [{address}]{more}}}]\n"
    )
}

pub(crate) fn secret(name: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}}}\ndata: {{tls.crt: aGVsbG8=, tls.key: aGVsbG8=}}\n"
    )
}

pub(crate) fn guarded(name: &str, middlewares: &str, service: &str) -> String {
    format!(
        "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: {name}, annotations: \
         {{traefik.ingress.kubernetes.io/router.middlewares: '{middlewares}'}}}}\nspec: {{ingressClassName: sluice, \
         rules: [{{host: {name}.example, http: {{paths: [{{path: /, pathType: Prefix, backend: {{service: {{name: \
         {service}, port: {{number: 80}}}}}}}}]}}}}]}}\n"
    )
}

pub(crate) fn middleware(namespace: &str, name: &str, spec: &str) -> String {
    format!(
        "apiVersion: traefik.io/v1alpha1\nkind: Middleware\nmetadata: {{name: {name}, namespace: {namespace}}}\n\
         spec: {spec}\n"
    )
}

/// A Secret of the namespace `shared`.
pub(crate) fn credentials(name: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}, namespace: shared}}\n\
         stringData: {{users: 'admin:{{SHA}}W6ph5Mm5Pz8GgiULbPgzG37mj9g='}}\n"
    )
}

pub(crate) fn named(ingresses: &[&str]) -> Changed {
    let ingresses = ingresses.iter();
    Changed {
        ingresses: ingresses
            .map(|name| ("default".to_owned(), (*name).to_owned()))
            .collect(),
        ..Changed::default()
    }
}

pub(crate) fn reference(kind: &str, name: &str) -> ObjectReference {
    ObjectReference {
        kind: kind.to_owned(),
        namespace: "default".to_owned(),
        name: name.to_owned(),
    }
}

pub(crate) fn web() -> Changed {
    Changed {
        services: BTreeSet::from([("default".to_owned(), "web".to_owned())]),
        ..Changed::default()
    }
}

pub(crate) fn ours() -> Changed {
    Changed {
        ingresses: BTreeSet::from([("default".to_owned(), "ours".to_owned())]),
        ..Changed::default()
    }
}

pub(crate) fn options(settings: EdgeSettings) -> Options {
    Options {
        settings,
        default_certificate: CertificateMaterial {
            chain: vec![Bytes::from_static(b"chain")],
            private_key: Bytes::from_static(b"Marked"),
            names: Vec::new(),
            not_before_unix_s: 0,
            not_after_unix_s: i64::MAX,
        },
    }
}

pub(crate) const CLASS: &str = "apiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata: {name: sluice}\n\
                     spec: {controller: ingress.sluice.dev/controller}\n";
pub(crate) const INGRESS: &str = "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: ours}\n\
                       spec: {ingressClassName: sluice, tls: [{secretName: tls}], \
                       defaultBackend: {service: {name: web, port: {number: 80}}}}\n";
