//! What a difference makes of the accepted resources, without a socket.

use bytes::Bytes;
use http::HeaderMap;
use proptest::prelude::*;
use sluice_proto::{
    BackendName, BackendProtocol, BackendTarget, EndpointState, Endpoints, HostPattern,
    ObjectReference, PathMatch, RouteAction, SettingsName, WeightedBackend,
};
use sluice_routing::RouteTable;

use super::*;
use crate::serving::{Answer, ServedRoute};

fn name(service: &str) -> BackendName {
    BackendName::of_service("shop", service, 80)
}

fn route(host: &str, service: &str) -> Resource {
    Resource::Route(Arc::new(Route {
        name: host.into(),
        host: HostPattern::parse(host).unwrap(),
        path: PathMatch::prefix("/").unwrap(),
        ingress: ObjectReference {
            kind: "Ingress".to_owned(),
            namespace: "shop".to_owned(),
            name: "web".to_owned(),
        },
        field: String::new(),
        created_unix_s: 0,
        action: RouteAction::Backends(vec![WeightedBackend {
            matches: Vec::new(),
            backend: name(service),
            weight: 1,
        }]),
        certificate: None,
        policies: Vec::new(),
        sticky: None,
        priority: None,
        settings: SettingsName::EDGE,
    }))
}

fn backend(service: &str) -> Resource {
    Resource::Backend(Backend {
        tls: None,
        own_host: false,
        name: name(service),
        protocol: BackendProtocol::Http1,
        target: BackendTarget::Endpoints {
            cluster_addresses: Vec::new(),
        },
    })
}

fn endpoints(service: &str, count: u8) -> Resource {
    let endpoint = |last| Endpoint {
        address: ([10, 0, 0, last], 80).into(),
        state: EndpointState::Ready,
        node: None,
        zone: None,
    };
    Resource::Endpoints(Endpoints {
        backend: name(service),
        endpoints: (0..count).map(endpoint).collect(),
    })
}

fn accepted() -> Accepted {
    Accepted::new("here", Arc::new(Metrics::new()))
}

fn apply(accepted: &mut Accepted, resources: &[Resource]) -> Applied {
    let target = Snapshot::of(resources);
    let difference = target.changes_since(accepted.snapshot());
    accepted.apply(difference, 0)
}

fn backend_of(routes: &RouteTable<Arc<ServedRoute>>, host: &str) -> Arc<ServedBackend> {
    match &routes.lookup(host, "/").unwrap().answer {
        Answer::Backends(shares) => Arc::clone(
            shares
                .draw(&HeaderMap::new(), None)
                .unwrap()
                .share
                .backend
                .as_ref()
                .unwrap(),
        ),
        Answer::Unavailable { code, .. } => panic!("{code}"),
    }
}

#[test]
fn endpoints_rebuild_nothing_and_are_in_force_at_once() {
    let mut accepted = accepted();
    let base = [route("a.example", "web"), backend("web")];
    assert!(apply(&mut accepted, &base).rebuild);
    let served = accepted.build();
    let backend = backend_of(&served.routes, "a.example");
    assert!(backend.pick(false, &[]).is_none());
    let applied = apply(&mut accepted, &[&base[..], &[endpoints("web", 1)]].concat());
    assert!(!applied.rebuild && applied.emptied.is_empty());
    assert!(backend.pick(false, &[]).is_some());
}

#[test]
fn a_backend_keeps_its_identity_when_routes_change() {
    let mut accepted = accepted();
    let base = [
        route("a.example", "web"),
        backend("web"),
        endpoints("web", 1),
    ];
    apply(&mut accepted, &base);
    let before = backend_of(&accepted.build().routes, "a.example");
    apply(
        &mut accepted,
        &[&base[..], &[route("b.example", "web")]].concat(),
    );
    let served = accepted.build();
    for host in ["a.example", "b.example"] {
        assert!(
            Arc::ptr_eq(&before, &backend_of(&served.routes, host)),
            "{host}"
        );
    }
}

#[test]
fn endpoints_go_only_after_the_routes_that_used_them() {
    let mut accepted = accepted();
    apply(
        &mut accepted,
        &[
            route("a.example", "old"),
            backend("old"),
            endpoints("old", 1),
        ],
    );
    let old = backend_of(&accepted.build().routes, "a.example");
    let moved = [
        route("a.example", "new"),
        backend("new"),
        endpoints("new", 1),
        backend("old"),
    ];
    let applied = apply(&mut accepted, &moved);
    assert!(
        old.pick(false, &[]).is_some(),
        "whoever still has the earlier table is answered"
    );
    let new = backend_of(&accepted.build().routes, "a.example");
    assert!(new.pick(false, &[]).is_some());
    accepted.empty(&applied.emptied);
    assert!(old.pick(false, &[]).is_none());
}

fn resource() -> impl Strategy<Value = Resource> {
    prop_oneof![
        ("[ab]\\.example", "[ab]").prop_map(|(host, service)| route(&host, &service)),
        "[ab]".prop_map(|service| backend(&service)),
        ("[ab]", 0u8..3).prop_map(|(service, count)| endpoints(&service, count)),
    ]
}

proptest! {
    // However it came to hold them, the same resources are served in the same way: what is built of changes is what is
    // built at once.
    #[test]
    fn the_way_does_not_matter(
        steps in prop::collection::vec(prop::collection::vec(resource(), 0..6), 1..6),
    ) {
        let mut stepwise = accepted();
        for step in &steps {
            let applied = apply(&mut stepwise, step);
            let _ = stepwise.build();
            stepwise.empty(&applied.emptied);
        }
        let last = steps.last().unwrap();
        let mut at_once = accepted();
        apply(&mut at_once, last);
        prop_assert_eq!(stepwise.snapshot(), at_once.snapshot());
        let (one, other) = (stepwise.build(), at_once.build());
        for host in ["a.example", "b.example"] {
            prop_assert_eq!(seen(&one.routes, host), seen(&other.routes, host));
        }
    }

    // What comes off the wire is refused, or held as it came: never a panic, never anything in between.
    #[test]
    fn any_bytes_are_refused_alone_or_held(
        kind in prop::sample::select(&Kind::ALL[..]),
        body in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        let mut accepted = accepted();
        let base = [route("a.example", "web"), backend("web"), endpoints("web", 1)];
        apply(&mut accepted, &base);
        let key = ResourceKey::new(kind, "*");
        let entry = Arc::new(Entry::new(Bytes::from(body)));
        let upserted = vec![(key.clone(), Arc::clone(&entry))];
        let applied = accepted.apply(Difference { upserted, removed: Vec::new() }, 0);
        let held = accepted.snapshot().entry(&key).map(|held| held.version());
        if applied.refused.is_empty() {
            prop_assert_eq!(held, Some(entry.version()));
        } else {
            prop_assert_eq!(applied.refused.len(), 1);
            prop_assert_eq!(held, None);
        }
        prop_assert!(backend_of(&accepted.build().routes, "a.example").pick(false, &[]).is_some());
    }
}

// Whether somebody answers, and how many endpoints there are to ask.
fn seen(routes: &RouteTable<Arc<ServedRoute>>, host: &str) -> Option<Option<usize>> {
    let route = routes.lookup(host, "/")?;
    let Answer::Backends(shares) = &route.answer else {
        return Some(None);
    };
    Some(
        shares
            .draw(&HeaderMap::new(), None)?
            .share
            .backend
            .as_ref()
            .map(|backend| {
                let mut tried = Vec::new();
                while let Some(endpoint) = backend.pick(false, &tried) {
                    tried.push(endpoint.id);
                }
                tried.len()
            }),
    )
}
