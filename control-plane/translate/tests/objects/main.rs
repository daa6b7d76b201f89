//! Which changes matter, and that endpoints alone rebuild nothing else.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod make;
mod middlewares;
mod policies;

use std::collections::BTreeSet;

use sluice_proto::{Kind, Resource, ResourceKey};
use sluice_translate::{Change, Changed, EdgeSettings, parse_objects, translate};

use crate::make::{
    CLASS, INGRESS, guarded, middleware, object, options, ours, rebuilt, reference, secret, served,
    service, slice, web,
};

#[test]
fn what_no_served_ingress_refers_to_changes_nothing() {
    let mut objects = served();
    let other = CLASS
        .replace("sluice}", "other}")
        .replace("ingress.sluice.dev", "example.com");
    let _ = objects.apply(object(&other));
    for text in [
        service("stranger", 80),
        slice("stranger-1", "stranger", "10.0.0.9", ""),
        slice("nobodys", "", "10.0.0.9", ""),
        secret("stranger"),
        "kind: Ingress\napiVersion: networking.k8s.io/v1\nmetadata: {name: theirs}\n\
         spec: {ingressClassName: other, defaultBackend: {service: {name: stranger, port: {number: 80}}}}\n"
            .to_owned(),
        // The foreign Ingress refers to them now, and still nobody here does.
        slice("stranger-2", "stranger", "10.0.0.8", ""),
    ] {
        assert_eq!(objects.apply(object(&text)), Change::Nothing, "{text}");
    }
    assert_eq!(objects.take_changed(), Changed::default());
    for (kind, name) in [
        ("Service", "stranger"),
        ("Secret", "stranger"),
        ("Ingress", "theirs"),
        ("Pod", "x"),
    ] {
        assert_eq!(
            objects.remove(&reference(kind, name)),
            Change::Nothing,
            "{kind} {name}"
        );
    }
}

#[test]
fn of_nodes_only_where_they_are_matters_and_no_route_is_rebuilt() {
    let mut objects = served();
    let node = |address: &str, ready: &str, beat: &str| {
        object(&format!(
            "apiVersion: v1\nkind: Node\nmetadata: {{name: node-1}}\nstatus:\n  addresses: [{{type: InternalIP, address: \
             {address}}}]\n  conditions: [{{type: Ready, status: '{ready}', lastHeartbeatTime: '{beat}'}}]\n"
        ))
    };
    let (early, late) = ("2026-01-01T00:00:00Z", "2026-01-01T00:05:00Z");
    assert_eq!(
        objects.apply(node("10.0.0.1", "True", early)),
        Change::Surroundings
    );
    assert_eq!(
        objects.apply(node("10.0.0.1", "True", late)),
        Change::Nothing
    );
    assert_eq!(
        objects.apply(node("10.0.0.1", "False", late)),
        Change::Nothing
    );
    assert_eq!(
        objects.apply(node("10.0.0.2", "True", late)),
        Change::Surroundings
    );
    assert_eq!(
        objects.remove(&reference("Node", "node-1")),
        Change::Surroundings
    );
    assert_eq!(
        objects.remove(&reference("Node", "node-1")),
        Change::Nothing
    );
}

#[test]
fn what_a_served_ingress_refers_to_matters() {
    let mut objects = served();
    for text in [service("web", 81), secret("tls")] {
        assert_eq!(objects.apply(object(&text)), Change::Ingresses, "{text}");
        assert_eq!(objects.take_changed(), ours(), "{text}");
    }
    assert_eq!(
        objects.apply(object(&slice("web-2", "web", "10.0.0.2", ""))),
        Change::Surroundings
    );
    assert_eq!(objects.take_changed(), web());
    assert_eq!(objects.take_changed(), Changed::default());
    assert_eq!(
        objects.remove(&reference("EndpointSlice", "web-2")),
        Change::Surroundings
    );
    assert_eq!(objects.take_changed(), web());
    assert_eq!(
        objects.remove(&reference("Secret", "tls")),
        Change::Ingresses
    );
    assert_eq!(objects.take_changed(), ours());
    assert_eq!(objects.deny_secrets("default"), Change::Everything);
    assert_eq!(objects.deny_secrets("default"), Change::Nothing);
    assert_eq!(objects.allow_secrets("default"), Change::Everything);
    assert_eq!(
        objects.remove(&reference("Ingress", "ours")),
        Change::Ingresses
    );
    assert_eq!(objects.take_changed(), ours());
    assert_eq!(objects.apply(object(&service("web", 82))), Change::Nothing);
}

#[test]
fn a_slice_that_moves_to_another_service_changes_both() {
    let mut objects = served();
    let _ = objects.apply(object(&slice("web-1", "stranger", "10.0.0.1", "")));
    assert_eq!(objects.take_changed(), web());
    assert_eq!(
        objects.apply(object(&slice("web-1", "web", "10.0.0.1", ""))),
        Change::Surroundings
    );
    assert_eq!(objects.take_changed(), web());
}

#[test]
fn what_nobody_reads_is_no_change() {
    let mut objects = served();
    let noise = "resourceVersion: '7', generation: 9, uid: x, managedFields: [{manager: m}], finalizers: [f]";
    let with_noise =
        |text: &str| text.replacen("metadata: {", &format!("metadata: {{{noise}, "), 1);
    for text in [
        INGRESS,
        CLASS,
        &service("web", 80),
        &slice("web-1", "web", "10.0.0.1", ""),
    ] {
        let noisy = with_noise(text);
        assert_ne!(noisy, text);
        assert_eq!(objects.apply(object(&noisy)), Change::Nothing, "{noisy}");
    }
    let with_status =
        format!("{INGRESS}status: {{loadBalancer: {{ingress: [{{ip: 10.0.0.1}}]}}}}\n");
    assert_eq!(objects.apply(object(&with_status)), Change::Nothing);
    let moved = slice(
        "web-1",
        "web",
        "10.0.0.1",
        ", targetRef: {kind: Pod, name: p}, hints: {forZones: [{name: z}]}",
    );
    assert_eq!(objects.apply(object(&moved)), Change::Nothing);
}

#[test]
fn settings_decide_what_matters() {
    let mut objects = served();
    let mut settings = EdgeSettings::default();
    settings.ingress.controllers = BTreeSet::from(["other".to_owned()]);
    assert_eq!(objects.follow_settings(&settings), Change::Everything);
    assert_eq!(objects.apply(object(&service("web", 81))), Change::Nothing);
    assert_eq!(objects.take_referenced_secrets(), Some(BTreeSet::new()));
}

#[test]
fn secrets_are_known_before_they_exist() {
    let tls = ("default".to_owned(), "tls".to_owned());
    let mut objects = served();
    assert_eq!(objects.referenced_secrets(), BTreeSet::from([tls.clone()]));
    let names = Some(BTreeSet::from([tls.clone()]));
    assert_eq!(objects.take_referenced_secrets(), names);
    let more = INGRESS.replace("name: ours", "name: more");
    let _ = objects.apply(object(&more.replace("secretName: tls", "secretName: ''")));
    assert_eq!(objects.take_referenced_secrets(), None, "they are the same");
    let _ = objects.apply(object(
        &more.replace("secretName: tls", "secretName: other"),
    ));
    let other = ("default".to_owned(), "other".to_owned());
    let names = Some(BTreeSet::from([tls, other]));
    assert_eq!(objects.take_referenced_secrets(), names);
}

#[test]
fn endpoints_alone_rebuild_nothing_else() {
    let mut objects = served();
    let before = translate(&objects, &options(EdgeSettings::default()));
    let _ = objects.apply(object(&slice("web-2", "web", "10.0.0.2", "")));
    let rebuilt = rebuilt(&mut objects, &before);
    assert_eq!(rebuilt, ["endpoints default/web:80"]);
}

#[test]
fn an_ingress_rebuilds_only_what_it_touches() {
    let mut objects = served();
    let on = |name: &str, host: &str| {
        object(&format!(
            "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: {name}}}\nspec: {{ingressClassName: sluice, \
             rules: [{{host: {host}, http: {{paths: [{{path: /{name}, pathType: Prefix, backend: {{service: {{name: web, \
             port: {{number: 80}}}}}}}}]}}}}]}}\n"
        ))
    };
    for number in 0..200 {
        let host = format!("host-{number}.example");
        let _ = objects.apply(on(&format!("crowd-{number}"), &host));
    }
    let _ = objects.take_changed();
    let before = translate(&objects, &options(EdgeSettings::default()));
    let _ = objects.apply(on("new", "host-7.example"));
    assert_eq!(
        rebuilt(&mut objects, &before),
        ["route default/new host-7.example Prefix /new"]
    );
    let before = translate(&objects, &options(EdgeSettings::default()));
    let _ = objects.apply(on("new", "other.example"));
    assert_eq!(
        rebuilt(&mut objects, &before),
        [
            "host other.example",
            "route default/new other.example Prefix /new",
            "-route default/new host-7.example Prefix /new",
        ]
    );
}

#[test]
fn nothing_shows_a_secret() {
    let marked = secret("tls").replace("aGVsbG8=", "TWFya2Vk");
    let parsed = parse_objects(&marked);
    let mut shown = format!("{parsed:?}");
    let mut objects = served();
    for object in parsed.objects {
        let _ = objects.apply(object);
    }
    for text in [
        guarded("admin", "shared-auth@kubernetescrd", "web"),
        middleware("shared", "auth", "{basicAuth: {secret: users}}"),
        "apiVersion: v1\nkind: Secret\nmetadata: {name: users, namespace: shared}\n\
         type: kubernetes.io/basic-auth\ndata: {username: YWRtaW4=, password: TWFya2Vk}\n"
            .to_owned(),
    ] {
        let _ = objects.apply(object(&text));
    }
    let translation = translate(&objects, &options(EdgeSettings::default()));
    shown += &format!("{objects:?} {translation:?}");
    // No data plane gets the password; what it gets is not shown either.
    let policy = ResourceKey::new(Kind::Policy, "Middleware shared/auth spec.basicAuth");
    let hash = "mahgY1iSHIEpUudxniqH3Rmnry0=";
    let body =
        String::from_utf8_lossy(translation.snapshot.entry(&policy).unwrap().body()).into_owned();
    assert!(body.contains(hash) && !body.contains("Marked"));
    for broken in [
        "apiVersion: v1\nkind: Secret\nmetadata: {name: tls}\ndata: {tls.key: 'TWFya2Vk!'}\n",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: tls}\ndata: TWFya2Vk\n",
        "apiVersion: v1\nkind: Secret\nmetadata: TWFya2Vk\n",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: tls}\ndata: {tls.key: *TWFya2Vk}\n",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: tls}\ndata: {tls.key: \"TWFya2Vk\n",
        "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Secret, metadata: {name: tls}, data: TWFya2Vk}\n",
        "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Secret, data: *TWFya2Vk}\n",
        "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Secret, metadata: TWFya2Vk}\n",
    ] {
        let parsed = parse_objects(broken);
        assert_eq!(
            (parsed.objects.len(), parsed.problems.len()),
            (0, 1),
            "{broken}"
        );
        shown += &format!("{parsed:?}");
    }
    // The bytes as text, as base64, and as a list of numbers.
    for secret in ["Marked", "TWFya2Vk", "77, 97, 114", hash] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
    let key = ResourceKey::new(Kind::Certificate, "default/tls");
    assert!(
        matches!(&*translation.resources[&key], Resource::Certificate(tls) if tls.content.is_err())
    );
}
