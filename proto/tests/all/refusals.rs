//! What is refused, and what the reason names: people read it in an Event, far from here.

mod policies;
mod routes;

use proptest::prelude::*;
use prost::Message;
use sluice_proto::{Difference, Kind, Resource, ResourceKey, Snapshot, Version, wire};

use super::arbitrary;

proptest! {
    #[test]
    fn a_version_that_is_not_the_hash_of_the_body_is_refused(
        target in arbitrary::snapshot(),
        version in arbitrary::bytes(),
    ) {
        let mut delta = target.changes_since(&Snapshot::default()).into_wire(1, usize::MAX).remove(0);
        for resource in &mut delta.upserted {
            prop_assume!(Version::from_bytes(&version) != Some(Version::of(&resource.body)));
            resource.version = version.clone();
        }
        let mut difference = Difference::default();
        let refused = difference.extend_from_wire(delta);
        prop_assert!(difference.is_empty());
        prop_assert_eq!(refused.len(), target.len());
        for refusal in refused {
            prop_assert!(refusal.reason.contains("hash"), "{}", refusal.reason);
            prop_assert_eq!(&refusal.version, &version);
        }
    }

    #[test]
    fn an_unknown_kind_is_refused_by_name_and_the_rest_taken(
        target in arbitrary::snapshot(),
        kind in "[a-z]{0,12}",
        name: String,
    ) {
        prop_assume!(Kind::parse(&kind).is_none());
        let mut delta = target.changes_since(&Snapshot::default()).into_wire(1, usize::MAX).remove(0);
        let key = wire::ResourceKey { kind: kind.clone(), name: name.clone() };
        delta.removed.push(key.clone());
        let body = bytes::Bytes::from_static(b"of the future");
        delta.upserted.insert(0, wire::Resource {
            key: Some(key),
            version: Version::of(&body).as_bytes().to_vec().into(),
            body,
        });
        let mut difference = Difference::default();
        let refused = difference.extend_from_wire(delta);
        prop_assert_eq!(difference, target.changes_since(&Snapshot::default()));
        prop_assert_eq!(refused.len(), 1);
        prop_assert_eq!((&refused[0].kind, &refused[0].name), (&kind, &name));
        prop_assert!(refused[0].reason.contains(&format!("{kind:?}")), "{}", refused[0].reason);
        let sent = wire::Refusal::from(refused[0].clone());
        prop_assert_eq!(sluice_proto::Refusal::from(sent), refused[0].clone());
    }
}

#[test]
fn a_resource_without_an_identity_is_refused() {
    let resource = |key| wire::Resource {
        key,
        version: Version::of(b"").as_bytes().to_vec().into(),
        body: bytes::Bytes::new(),
    };
    let nameless = wire::ResourceKey {
        kind: "host".to_owned(),
        name: String::new(),
    };
    let delta = wire::Delta {
        upserted: vec![resource(None), resource(Some(nameless))],
        ..wire::Delta::default()
    };
    let refused = Difference::default().extend_from_wire(delta);
    assert_eq!(refused[0].reason, "key is not set");
    assert_eq!(refused[1].reason, "the name is empty");
}

#[test]
fn the_reason_names_the_field_and_what_it_holds() {
    for (what, key, body) in [
        listeners(),
        backends(),
        endpoints(),
        policies::policies(),
        routes::routes(),
        settings(),
    ]
    .concat()
    {
        let reason = Resource::parse(&key, body.into()).unwrap_err().reason();
        for part in what.split(", ") {
            assert!(reason.contains(part), "{key} should name {part}: {reason}");
        }
    }
    for (what, content) in [
        ("content", None),
        ("material.chain", Some(material(&[], b"key"))),
        ("material.private_key", Some(material(&[b"leaf"], b""))),
    ] {
        let body = wire::Certificate { content }.encode_to_vec();
        let key = ResourceKey::new(Kind::Certificate, "a/b");
        let reason = Resource::parse(&key, body.into()).unwrap_err().reason();
        assert_eq!(reason, format!("{what} is not set"));
    }
    let key = ResourceKey::new(Kind::Host, "foo.*.com");
    let reason = Resource::parse(&key, bytes::Bytes::new())
        .unwrap_err()
        .reason();
    assert!(
        reason.contains("host") && reason.contains("foo.*.com"),
        "{reason}"
    );
}

type Case = (&'static str, ResourceKey, Vec<u8>);

fn case<M: Message>(what: &'static str, kind: Kind, name: &str, message: &M) -> Case {
    (what, ResourceKey::new(kind, name), message.encode_to_vec())
}

fn listeners() -> Vec<Case> {
    let good = || wire::Listener {
        address: String::new(),
        port: 80,
        protocol: 1,
    };
    let address = "everywhere".to_owned();
    [
        (
            "address, \"everywhere\"",
            wire::Listener { address, ..good() },
        ),
        ("port, 0, 1 to 65535", wire::Listener { port: 0, ..good() }),
        (
            "port, 65536",
            wire::Listener {
                port: 65_536,
                ..good()
            },
        ),
        (
            "protocol, 0",
            wire::Listener {
                protocol: 0,
                ..good()
            },
        ),
        (
            "protocol, 7",
            wire::Listener {
                protocol: 7,
                ..good()
            },
        ),
    ]
    .map(|(what, message)| case(what, Kind::Listener, "http", &message))
    .into()
}

fn backends() -> Vec<Case> {
    let good = || wire::Backend {
        protocol: 1,
        ..wire::Backend::default()
    };
    let external = |name: &str, port| wire::Backend {
        external_name: name.to_owned(),
        external_port: port,
        ..good()
    };
    let cluster_addresses = vec!["10.0.0.1".to_owned()];
    [
        ("protocol, 0", wire::Backend::default()),
        (
            "cluster_addresses, \"10.0.0.1\"",
            wire::Backend {
                cluster_addresses,
                ..good()
            },
        ),
        ("external_port, 0", external("example.com", 0)),
        ("external_name", external("*", 80)),
        ("external_name, \"a b\"", external("a b", 80)),
    ]
    .map(|(what, message)| case(what, Kind::Backend, "shop/web:80", &message))
    .into()
}

fn endpoints() -> Vec<Case> {
    let endpoint = |ip: &str, port, state| wire::Endpoints {
        endpoints: vec![wire::Endpoint {
            ip: ip.to_owned(),
            port,
            state,
            ..wire::Endpoint::default()
        }],
    };
    [
        ("ip, \"pod\"", endpoint("pod", 80, 1)),
        ("port, 0", endpoint("10.0.0.1", 0, 1)),
        ("state, 0", endpoint("10.0.0.1", 80, 0)),
    ]
    .map(|(what, message)| case(what, Kind::Endpoints, "shop/web:80", &message))
    .into()
}

fn settings() -> Vec<Case> {
    let timeouts = |drain_ms| wire::Settings {
        timeouts: Some(wire::Timeouts {
            drain_ms: Some(drain_ms),
            ..wire::Timeouts::default()
        }),
        ..wire::Settings::default()
    };
    let limits = |header_bytes| wire::Settings {
        limits: Some(wire::Limits {
            header_bytes: Some(header_bytes),
            ..wire::Limits::default()
        }),
        ..wire::Settings::default()
    };
    let trusted_ranges = vec!["10.0.0.0/33".to_owned()];
    [
        ("drain_ms, 0", timeouts(0)),
        ("drain_ms, 30 days", timeouts(u64::MAX)),
        ("header_bytes, 0", limits(0)),
        ("header_bytes, 16777216", limits(u32::MAX)),
        (
            "trusted_ranges, \"10.0.0.0/33\"",
            wire::Settings {
                trusted_ranges,
                ..wire::Settings::default()
            },
        ),
        (
            "metrics_ranges, \"10.0.0.0/33\"",
            wire::Settings {
                metrics_ranges: vec!["10.0.0.0/33".to_owned()],
                ..wire::Settings::default()
            },
        ),
        (
            "tls_minimum_version, 9",
            wire::Settings {
                tls_minimum_version: 9,
                ..wire::Settings::default()
            },
        ),
        (
            "missing_certificate, 9",
            wire::Settings {
                missing_certificate: 9,
                ..wire::Settings::default()
            },
        ),
    ]
    .map(|(what, message)| case(what, Kind::Settings, "edge", &message))
    .into()
}

fn path(kind: i32, path: &str) -> wire::PathMatch {
    wire::PathMatch {
        kind,
        path: path.to_owned(),
    }
}

fn material(chain: &[&'static [u8]], private_key: &'static [u8]) -> wire::certificate::Content {
    wire::certificate::Content::Material(wire::CertificateMaterial {
        chain: chain
            .iter()
            .map(|der| bytes::Bytes::from_static(der))
            .collect(),
        private_key: private_key.into(),
        ..wire::CertificateMaterial::default()
    })
}
