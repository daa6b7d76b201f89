//! Whatever comes off the wire: refused with a reason, or accepted in a form that travels on; never a panic.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use prost::Message;
use sluice_proto::{Difference, Holdings, Kind, Resource, ResourceKey, Snapshot, wire};

use super::arbitrary;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn arbitrary_bytes_of_any_kind(kind in arbitrary::kind(), name: String, body in arbitrary::bytes()) {
        is_refused_or_travels_on(&ResourceKey::new(kind, name), body);
    }

    #[test]
    fn a_body_that_is_cut_or_changed(
        resource in arbitrary::resource(),
        at in any::<prop::sample::Index>(),
        bit in 0_u8..8,
        cut: bool,
    ) {
        let mut body = resource.body().to_vec();
        if !body.is_empty() {
            let at = at.index(body.len());
            if cut {
                body.truncate(at);
            } else {
                body[at] ^= 1 << bit;
            }
        }
        is_refused_or_travels_on(&resource.key(), body.into());
    }

    #[test]
    fn a_body_of_another_kind(resource in arbitrary::resource(), kind in arbitrary::kind()) {
        is_refused_or_travels_on(&ResourceKey::new(kind, resource.key().name), resource.body());
    }

    #[test]
    fn messages_with_odd_values((kind, body) in odd_message(), name in odd_text()) {
        is_refused_or_travels_on(&ResourceKey::new(kind, name), body.into());
    }

    #[test]
    fn a_delta_of_arbitrary_bytes(bytes in arbitrary::bytes()) {
        if let Ok(delta) = wire::Delta::decode(bytes) {
            let _ = Difference::default().extend_from_wire(delta);
        }
    }

    #[test]
    fn a_delta_of_odd_resources(delta in odd_delta()) {
        let (upserted, removed) = (delta.upserted.len(), delta.removed.len());
        let mut difference = Difference::default();
        let refused = difference.extend_from_wire(delta);
        prop_assert_eq!(refused.len() + difference.upserted.len(), upserted);
        prop_assert!(difference.removed.len() <= removed);
        prop_assert!(refused.iter().all(|refusal| !refusal.reason.is_empty()));
        Snapshot::default().apply(difference);
    }

    #[test]
    fn holdings_of_odd_keys(holdings in vec((odd_key(), arbitrary::bytes()), 0..5)) {
        let holding = |(key, version)| wire::Holding { key, version };
        let holdings = wire::Holdings { holdings: holdings.into_iter().map(holding).collect() };
        let understood = Holdings::from(&holdings);
        prop_assert!(understood.iter().len() <= holdings.holdings.len());
    }
}

/// What is accepted can be sent on, and is accepted there as the same.
fn is_refused_or_travels_on(key: &ResourceKey, body: bytes::Bytes) {
    match Resource::parse(key, body) {
        Ok(resource) => {
            assert_eq!(&resource.key(), key);
            assert_eq!(Resource::parse(key, resource.body()).unwrap(), resource);
        }
        Err(error) => assert!(!error.reason().is_empty(), "{error:?}"),
    }
}

fn odd_text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        Just("*".to_owned()),
        Just("*.example.com".to_owned()),
        Just("example.com".to_owned()),
        Just("/".to_owned()),
        Just("/a/..".to_owned()),
        Just("10.0.0.1".to_owned()),
        Just("10.0.0.1:80".to_owned()),
        Just("fe80::1%eth0".to_owned()),
        Just("10.0.0.0/8".to_owned()),
        any::<String>(),
    ]
}

fn odd_number() -> impl Strategy<Value = u32> {
    prop_oneof![
        Just(0),
        Just(1),
        Just(65_535),
        Just(65_536),
        Just(u32::MAX),
        any::<u32>()
    ]
}

fn odd_enumeration() -> impl Strategy<Value = i32> {
    prop_oneof![-1..5, any::<i32>()]
}

fn odd_key() -> impl Strategy<Value = Option<wire::ResourceKey>> {
    let kind = prop_oneof![
        arbitrary::kind().prop_map(|kind| kind.as_str().to_owned()),
        any::<String>()
    ];
    option::of((kind, odd_text()).prop_map(|(kind, name)| wire::ResourceKey { kind, name }))
}

fn odd_delta() -> impl Strategy<Value = wire::Delta> {
    let resource = (
        odd_key(),
        arbitrary::bytes(),
        arbitrary::bytes(),
        any::<bool>(),
    )
        .prop_map(|(key, version, body, right)| wire::Resource {
            key,
            version: if right {
                sluice_proto::Version::of(&body).as_bytes().to_vec().into()
            } else {
                version
            },
            body,
        });
    let removed = vec(odd_key().prop_map(Option::unwrap_or_default), 0..4);
    (any::<u64>(), vec(resource, 0..4), removed, any::<bool>()).prop_map(
        |(generation, upserted, removed, more)| wire::Delta {
            generation,
            upserted,
            removed,
            more,
        },
    )
}

fn odd_message() -> impl Strategy<Value = (Kind, Vec<u8>)> {
    prop_oneof![
        odd_listener().prop_map(|message| (Kind::Listener, message.encode_to_vec())),
        odd_settings().prop_map(|message| (Kind::Settings, message.encode_to_vec())),
        odd_certificate().prop_map(|message| (Kind::Certificate, message.encode_to_vec())),
        (odd_text(), odd_text()).prop_map(|(certificate, settings)| {
            let host = wire::Host {
                client_certificates: Vec::new(),
                tls_minimum_version: 0,
                certificate,
                settings,
            };
            (Kind::Host, host.encode_to_vec())
        }),
        odd_backend().prop_map(|message| (Kind::Backend, message.encode_to_vec())),
        odd_endpoints().prop_map(|message| (Kind::Endpoints, message.encode_to_vec())),
        odd_route().prop_map(|message| (Kind::Route, message.encode_to_vec())),
    ]
}

fn odd_listener() -> impl Strategy<Value = wire::Listener> {
    (odd_text(), odd_number(), odd_enumeration()).prop_map(|(address, port, protocol)| {
        wire::Listener {
            address,
            port,
            protocol,
        }
    })
}

fn odd_settings() -> impl Strategy<Value = wire::Settings> {
    let number = || option::of(odd_number());
    let timeouts = vec(option::of(any::<u64>()), 3).prop_map(|ms| wire::Timeouts {
        connect_ms: ms[0],
        drain_ms: ms[1],
        endpoints_stale_ms: ms[2],
        ..wire::Timeouts::default()
    });
    let limits = (number(), number(), number(), number()).prop_map(
        |(header_bytes, header_count, connections, concurrent_streams)| wire::Limits {
            header_bytes,
            header_count,
            connections,
            concurrent_streams,
        },
    );
    (
        vec(odd_text(), 0..2),
        odd_text(),
        option::of(timeouts),
        option::of(limits),
        odd_enumeration(),
    )
        .prop_map(
            |(trusted_ranges, client_address_header, timeouts, limits, missing_certificate)| {
                wire::Settings {
                    metrics_ranges: trusted_ranges.clone(),
                    trusted_ranges,
                    client_address_header,
                    timeouts,
                    limits,
                    access_log: None,
                    missing_certificate,
                    default_certificate: String::new(),
                    tls_minimum_version: missing_certificate,
                    trusted_sets: Vec::new(),
                }
            },
        )
}

fn odd_certificate() -> impl Strategy<Value = wire::Certificate> {
    use wire::certificate::Content;
    let material = (
        vec(arbitrary::bytes(), 0..2),
        arbitrary::bytes(),
        any::<(i64, i64)>(),
    );
    let material = material.prop_map(|(chain, private_key, (from, to))| {
        Content::Material(wire::CertificateMaterial {
            chain,
            private_key,
            names: Vec::new(),
            not_before_unix_s: from,
            not_after_unix_s: to,
        })
    });
    let unavailable = option::of(Just(wire::ObjectReference::default())).prop_map(|object| {
        Content::Unavailable(wire::Problem {
            object,
            ..wire::Problem::default()
        })
    });
    option::of(prop_oneof![material, unavailable]).prop_map(|content| wire::Certificate { content })
}

fn odd_backend() -> impl Strategy<Value = wire::Backend> {
    (
        odd_enumeration(),
        vec(odd_text(), 0..2),
        odd_text(),
        odd_number(),
    )
        .prop_map(
            |(protocol, cluster_addresses, external_name, external_port)| wire::Backend {
                protocol,
                cluster_addresses,
                external_name,
                external_port,
                tls: None,
                own_host: false,
            },
        )
}

fn odd_endpoints() -> impl Strategy<Value = wire::Endpoints> {
    let endpoint = (odd_text(), odd_number(), odd_text(), odd_enumeration()).prop_map(
        |(ip, port, node, state)| wire::Endpoint {
            ip,
            port,
            node,
            zone: String::new(),
            state,
        },
    );
    vec(endpoint, 0..4).prop_map(|endpoints| wire::Endpoints { endpoints })
}

fn odd_route() -> impl Strategy<Value = wire::Route> {
    let path =
        (odd_enumeration(), odd_text()).prop_map(|(kind, path)| wire::PathMatch { kind, path });
    let backend = (odd_text(), odd_number()).prop_map(|(backend, weight)| wire::WeightedBackend {
        backend,
        weight,
        matches: Vec::new(),
    });
    (
        odd_text(),
        option::of(path),
        option::of(Just(wire::ObjectReference::default())),
        any::<i64>(),
        vec(backend, 0..3),
        option::of(Just(wire::Problem::default())),
        odd_text(),
    )
        .prop_map(
            |(host, path, ingress, created_unix_s, backends, unavailable, certificate)| {
                wire::Route {
                    host,
                    path,
                    ingress,
                    created_unix_s,
                    backends,
                    unavailable,
                    certificate,
                    field: String::new(),
                    policies: Vec::new(),
                    sticky: None,
                    priority: None,
                    settings: String::new(),
                }
            },
        )
}
