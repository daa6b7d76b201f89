//! Typed resources over the border and back, and what is refused there: by the name of its field.

use proptest::prelude::*;
use sluice_proto::{Kind, Resource, ResourceKey, wire};

use crate::arbitrary::resource;

proptest! {
    #[test]
    fn a_resource_survives_the_border(resource in resource()) {
        let parsed = Resource::parse(&resource.key(), resource.body()).unwrap();
        prop_assert_eq!(parsed.key(), resource.key());
        prop_assert_eq!(parsed.body(), resource.body());
        prop_assert_eq!(parsed, resource);
    }

    // A newer control plane may set fields that this build does not know.
    #[test]
    fn fields_of_the_future_are_passed_over(resource in resource(), value: u64) {
        let mut body = resource.body().to_vec();
        prost::encoding::uint64::encode(1_000, &value, &mut body);
        prop_assert_eq!(Resource::parse(&resource.key(), body.into()).unwrap(), resource);
    }
}

/// Returns why this message is no resource of this kind.
fn refusal(kind: Kind, name: &str, message: &impl prost::Message) -> String {
    let key = ResourceKey::new(kind, name);
    let parsed = Resource::parse(&key, message.encode_to_vec().into());
    match parsed {
        Ok(resource) => panic!("{resource:?} is accepted"),
        Err(error) => error.reason(),
    }
}

fn broken<M: Clone>(good: &M, breaks: impl FnOnce(&mut M)) -> M {
    let mut message = good.clone();
    breaks(&mut message);
    message
}

#[test]
fn a_listener_is_refused_by_its_field() {
    let good = wire::Listener {
        address: String::new(),
        port: 80,
        protocol: 1,
    };
    let refusal = |message| refusal(Kind::Listener, "http", &message);
    for port in [0, 65_536, u32::MAX] {
        let reason = refusal(broken(&good, |listener| listener.port = port));
        assert_eq!(reason, format!("port: {port} is not in 1 to 65535"));
    }
    let reason = refusal(broken(&good, |listener| listener.address = "here".into()));
    assert!(
        reason.starts_with("address: \"here\" is not an address"),
        "{reason}"
    );
    for protocol in [0, 3, -1] {
        let reason = refusal(broken(&good, |listener| listener.protocol = protocol));
        assert!(reason.starts_with("protocol: "), "{reason}");
    }
}

#[test]
fn settings_are_refused_by_their_field() {
    let refusal = |message: wire::Settings| refusal(Kind::Settings, "edge", &message);
    let timeout = |breaks: fn(&mut wire::Timeouts)| wire::Settings {
        timeouts: Some(broken(&wire::Timeouts::default(), breaks)),
        ..wire::Settings::default()
    };
    let limit = |breaks: fn(&mut wire::Limits)| wire::Settings {
        limits: Some(broken(&wire::Limits::default(), breaks)),
        ..wire::Settings::default()
    };
    for (field, message) in [
        ("connect_ms", timeout(|t| t.connect_ms = Some(0))),
        (
            "request_headers_ms",
            timeout(|t| t.request_headers_ms = Some(u64::MAX)),
        ),
        ("client_idle_ms", timeout(|t| t.client_idle_ms = Some(0))),
        (
            "request_body_idle_ms",
            timeout(|t| t.request_body_idle_ms = Some(0)),
        ),
        (
            "response_headers_ms",
            timeout(|t| t.response_headers_ms = Some(0)),
        ),
        (
            "response_body_idle_ms",
            timeout(|t| t.response_body_idle_ms = Some(0)),
        ),
        (
            "endpoint_idle_ms",
            timeout(|t| t.endpoint_idle_ms = Some(0)),
        ),
        ("upgrade_idle_ms", timeout(|t| t.upgrade_idle_ms = Some(0))),
        ("drain_ms", timeout(|t| t.drain_ms = Some(2_592_000_001))),
        (
            "endpoints_stale_ms",
            timeout(|t| t.endpoints_stale_ms = Some(0)),
        ),
        ("header_bytes", limit(|l| l.header_bytes = Some(u32::MAX))),
        ("header_count", limit(|l| l.header_count = Some(0))),
        ("connections", limit(|l| l.connections = Some(0))),
        (
            "concurrent_streams",
            limit(|l| l.concurrent_streams = Some(0)),
        ),
        (
            "trusted_ranges",
            broken(&wire::Settings::default(), |settings| {
                settings.trusted_ranges = vec!["10.0.0.0/8".into(), "10.0.0.0/99".into()];
            }),
        ),
        (
            "missing_certificate",
            broken(&wire::Settings::default(), |settings| {
                settings.missing_certificate = 2;
            }),
        ),
    ] {
        let reason = refusal(message);
        assert!(
            reason.starts_with(&format!("{field}: ")),
            "{field}: {reason}"
        );
    }
}

#[test]
fn settings_of_another_name_are_refused() {
    let reason = refusal(Kind::Settings, "other", &wire::Settings::default());
    assert!(reason.contains("\"other\""), "{reason}");
}

#[test]
fn a_certificate_is_refused_by_its_field() {
    let refusal = |content| {
        let certificate = wire::Certificate { content };
        refusal(Kind::Certificate, "shop/tls", &certificate)
    };
    let material = |chain: &[&'static [u8]], private_key: &'static [u8]| {
        Some(wire::certificate::Content::Material(
            wire::CertificateMaterial {
                chain: chain.iter().map(|&der| der.into()).collect(),
                private_key: private_key.into(),
                ..wire::CertificateMaterial::default()
            },
        ))
    };
    assert_eq!(refusal(None), "content is not set");
    assert_eq!(refusal(material(&[], b"key")), "material.chain is not set");
    assert_eq!(
        refusal(material(&[b"leaf"], b"")),
        "material.private_key is not set"
    );
}

#[test]
fn a_backend_is_refused_by_its_field() {
    let good = wire::Backend {
        protocol: 1,
        ..wire::Backend::default()
    };
    for (field, message) in [
        ("protocol", broken(&good, |backend| backend.protocol = 0)),
        (
            "cluster_addresses",
            broken(&good, |backend| {
                backend.cluster_addresses = vec!["10.0.0.1:80".into(), "10.0.0.1".into()];
            }),
        ),
        (
            "external_name",
            broken(&good, |backend| backend.external_name = "*".into()),
        ),
        (
            "external_name",
            broken(&good, |backend| backend.external_name = "a b".into()),
        ),
        (
            "external_port",
            broken(&good, |backend| backend.external_name = "a.b".into()),
        ),
    ] {
        let reason = refusal(Kind::Backend, "shop/web:80", &message);
        assert!(reason.starts_with(field), "{field}: {reason}");
    }
}

#[test]
fn endpoints_are_refused_by_their_field() {
    let good = wire::Endpoint {
        ip: "10.0.0.1".into(),
        port: 80,
        state: 1,
        ..wire::Endpoint::default()
    };
    for (field, endpoint) in [
        ("ip", broken(&good, |endpoint| endpoint.ip.clear())),
        ("port", broken(&good, |endpoint| endpoint.port = 0)),
        ("state", broken(&good, |endpoint| endpoint.state = 7)),
    ] {
        let endpoints = vec![good.clone(), endpoint];
        let message = wire::Endpoints { endpoints };
        let reason = refusal(Kind::Endpoints, "shop/web:80", &message);
        assert!(
            reason.starts_with(&format!("{field}: ")),
            "{field}: {reason}"
        );
    }
}

#[test]
fn a_route_and_a_host_are_refused_by_their_field() {
    let good = wire::Route {
        host: "shop.example".into(),
        path: Some(wire::PathMatch {
            kind: 2,
            path: "/".into(),
        }),
        ingress: Some(wire::ObjectReference::default()),
        backends: vec![wire::WeightedBackend::default()],
        ..wire::Route::default()
    };
    let path = |kind, path: &str| {
        let path = path.to_owned();
        Some(wire::PathMatch { kind, path })
    };
    for (field, message) in [
        ("host", broken(&good, |route| route.host = "a.*.b".into())),
        ("path", broken(&good, |route| route.path = None)),
        (
            "path.kind",
            broken(&good, |route| route.path = path(9, "/")),
        ),
        ("path", broken(&good, |route| route.path = path(1, "foo"))),
        ("path", broken(&good, |route| route.path = path(2, "/a//b"))),
        ("ingress", broken(&good, |route| route.ingress = None)),
        ("backends", broken(&good, |route| route.backends.clear())),
    ] {
        let reason = refusal(Kind::Route, "shop/web", &message);
        assert!(reason.contains(field), "{field}: {reason}");
    }
    let reason = refusal(Kind::Host, "foo.*.com", &wire::Host::default());
    assert!(
        reason.contains("host") && reason.contains("foo.*.com"),
        "{reason}"
    );
}
