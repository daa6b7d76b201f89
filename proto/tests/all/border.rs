//! Over the border and back: a resource arrives as it was sent, in one form only.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use sluice_proto::{
    Backend, BackendName, BackendProtocol, BackendTarget, HostPattern, Kind, ObjectReference,
    PathMatch, Resource, ResourceKey, SettingsName, Version,
};

use super::arbitrary;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn a_resource_arrives_as_it_was_sent(resource in arbitrary::resource()) {
        let arrived = Resource::parse(&resource.key(), resource.body());
        prop_assert_eq!(arrived.unwrap(), resource);
    }

    #[test]
    fn the_same_content_has_the_same_bytes(resource in arbitrary::resource()) {
        let body = resource.body();
        let arrived = Resource::parse(&resource.key(), body.clone()).unwrap();
        prop_assert_eq!(Version::of(&arrived.body()), Version::of(&body));
        prop_assert_eq!(arrived.body(), body);
    }

    #[test]
    fn a_prefix_has_one_form_whether_or_not_it_ends_with_a_slash(path in arbitrary::path_text()) {
        let trimmed = path.strip_suffix('/').unwrap_or(&path);
        let with_slash = PathMatch::prefix(&format!("{trimmed}/")).unwrap();
        prop_assert_eq!(&with_slash, &PathMatch::prefix(&path).unwrap());
        let wire = sluice_proto::wire::PathMatch::from(&with_slash);
        prop_assert_eq!(wire.path, if trimmed.is_empty() { "/" } else { trimmed });
    }

    #[test]
    fn a_host_has_one_form(host in r"(\*\.)?[a-z]{1,3}\.[a-z]{1,3}") {
        let parsed = HostPattern::parse(&host).unwrap();
        prop_assert_eq!(&parsed.to_string(), &host);
        for spelling in [host.to_uppercase(), format!("{host}.")] {
            prop_assert_eq!(HostPattern::parse(&spelling).unwrap(), parsed.clone());
            // Two resources for one host would contradict each other.
            let key = ResourceKey::new(Kind::Host, spelling);
            let refused = Resource::parse(&key, bytes::Bytes::new()).unwrap_err();
            prop_assert!(refused.reason().contains(&format!("{host:?}")), "{}", refused);
        }
    }
}

#[test]
fn a_certificate_is_for_the_service_whoever_says_how_it_is_spoken_to() {
    let port = BackendName::of_service("shop", "web", 443);
    let policy = ObjectReference {
        kind: "Policy".to_owned(),
        namespace: "platform".to_owned(),
        name: "internal-tls".to_owned(),
    };
    let spoken_to = port.spoken_to_by(&policy);
    assert_eq!(
        spoken_to.to_string(),
        "shop/web:443 by Policy platform/internal-tls"
    );
    for name in [port, spoken_to] {
        assert_eq!(name.service_port(), "shop/web:443");
        let backend = Backend {
            name,
            protocol: BackendProtocol::Http1,
            target: BackendTarget::Endpoints {
                cluster_addresses: Vec::new(),
            },
            tls: None,
            own_host: false,
        };
        assert_eq!(backend.host(), "web.shop.svc");
    }
}

#[test]
fn settings_are_called_as_their_resource_is() {
    let body = Resource::Settings(Box::default()).body();
    for (key, name) in [
        ("edge", SettingsName::EDGE),
        ("class/internal", SettingsName::of_class("internal")),
    ] {
        let key = ResourceKey::new(Kind::Settings, key);
        let parsed = Resource::parse(&key, body.clone()).unwrap();
        let Resource::Settings(settings) = parsed else {
            panic!("{parsed:?}");
        };
        assert_eq!(settings.name, name);
        assert_eq!(name.to_string(), *key.name);
    }
}

#[test]
fn every_kind_is_drawn() {
    let mut runner = TestRunner::deterministic();
    let mut missing = Kind::ALL.to_vec();
    for _ in 0..1000 {
        let drawn = arbitrary::resource().new_tree(&mut runner).unwrap();
        let kind = drawn.current().key().kind;
        missing.retain(|other| *other != kind);
    }
    assert_eq!(missing, []);
}
