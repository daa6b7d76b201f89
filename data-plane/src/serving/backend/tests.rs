//! Which endpoint the next request goes to.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use proptest::prelude::*;
use sluice_proto::BackendName;

use super::*;

fn address(last: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, last], 80))
}

fn endpoint(last: u8, node: &str, state: EndpointState) -> sluice_proto::Endpoint {
    sluice_proto::Endpoint {
        address: address(last),
        state,
        node: Some(node.into()),
        zone: None,
    }
}

fn ready(last: u8, node: &str) -> sluice_proto::Endpoint {
    endpoint(last, node, EndpointState::Ready)
}

fn backend(endpoints: &[sluice_proto::Endpoint]) -> ServedBackend {
    let described = Backend {
        tls: None,
        own_host: false,
        name: BackendName::of_service("shop", "web", 80),
        protocol: BackendProtocol::Http1,
        target: BackendTarget::Endpoints {
            cluster_addresses: Vec::new(),
        },
    };
    let served = ServedBackend::new(&described, Arc::default()).unwrap();
    served.set_endpoints(endpoints, "here");
    served
}

fn picked(backend: &ServedBackend, tried: &[u64]) -> BTreeMap<String, u32> {
    let mut picked = BTreeMap::new();
    for _ in 0..2_000 {
        if let Some(endpoint) = backend.pick(false, tried) {
            *picked.entry(endpoint.address.to_string()).or_default() += 1;
        }
    }
    picked
}

fn find(backend: &ServedBackend, last: u8) -> Arc<Endpoint> {
    let wanted = EndpointAddress::Socket(address(last));
    std::iter::repeat_with(|| backend.pick(false, &[]).unwrap())
        .take(10_000)
        .find(|endpoint| endpoint.address == wanted)
        .unwrap()
}

#[test]
fn equals_get_equal_shares() {
    let backend = backend(&[ready(1, "a"), ready(2, "b"), ready(3, "c"), ready(4, "d")]);
    let picked = picked(&backend, &[]);
    assert!(
        picked.len() == 4 && picked.values().all(|count| (350..650).contains(count)),
        "{picked:?}"
    );
}

#[test]
fn the_busier_of_two_is_spared() {
    let backend = backend(&[ready(1, "a"), ready(2, "b")]);
    let _busy = find(&backend, 1).begin();
    assert_eq!(picked(&backend, &[]).len(), 1);
    let busier = [find(&backend, 2).begin(), find(&backend, 2).begin()];
    assert_eq!(
        picked(&backend, &[]),
        BTreeMap::from([("10.0.0.1:80".to_owned(), 2_000)])
    );
    drop(busier);
    assert_eq!(
        picked(&backend, &[]),
        BTreeMap::from([("10.0.0.2:80".to_owned(), 2_000)])
    );
}

#[test]
fn the_local_one_comes_first_until_it_is_the_busier_one() {
    let backend = backend(&[ready(1, "here"), ready(2, "b"), ready(3, "c")]);
    assert_eq!(picked(&backend, &[]).len(), 1);
    let local = backend.pick(false, &[]).unwrap();
    let outstanding = Arc::clone(&local).begin();
    assert!(!picked(&backend, &[]).contains_key("10.0.0.1:80"));
    drop(outstanding);
    assert_eq!(picked(&backend, &[]).len(), 1);
    assert_eq!(
        picked(&backend, &[local.id]).len(),
        2,
        "tried ones are passed over"
    );
}

#[test]
fn identity_survives_while_the_address_does() {
    let backend = backend(&[ready(1, "a")]);
    let before = backend.pick(false, &[]).unwrap();
    backend.set_endpoints(&[endpoint(1, "a", EndpointState::Terminating)], "here");
    assert_eq!(backend.pick(false, &[]).unwrap().id, before.id);
    backend.set_endpoints(&[], "here");
    assert!(backend.pick(false, &[]).is_none());
    backend.set_endpoints(&[ready(1, "a")], "here");
    assert_ne!(backend.pick(false, &[]).unwrap().id, before.id);
}

#[test]
fn no_more_than_half_are_left_out() {
    let backend = backend(&[ready(1, "a"), ready(2, "b"), ready(3, "c"), ready(4, "d")]);
    for last in 1..=4 {
        let endpoint = find_untried(&backend, last);
        for _ in 0..3 {
            backend.connect_failed(&endpoint);
        }
    }
    assert_eq!(backend.counters.ejections.load(Ordering::Relaxed), 2);
    assert_eq!(picked(&backend, &[]).len(), 2);
    let usable: Vec<u64> = [3, 4].map(|last| find_untried(&backend, last).id).to_vec();
    assert_eq!(
        picked(&backend, &usable).len(),
        2,
        "one that is out is better than none"
    );
}

// Whether it is left out or not.
fn find_untried(backend: &ServedBackend, last: u8) -> Arc<Endpoint> {
    let Target::Endpoints { current, .. } = &backend.target else {
        panic!("it has endpoints");
    };
    let wanted = EndpointAddress::Socket(address(last));
    let set = current.load();
    Arc::clone(
        set.iter()
            .find(|endpoint| endpoint.address == wanted)
            .unwrap(),
    )
}

#[test]
fn a_success_ends_the_count_of_errors() {
    let backend = backend(&[ready(1, "a"), ready(2, "b")]);
    let endpoint = find(&backend, 1);
    for _ in 0..10 {
        backend.connect_failed(&endpoint);
        backend.connect_failed(&endpoint);
        endpoint.connected();
    }
    assert_eq!(backend.counters.ejections.load(Ordering::Relaxed), 0);
}

proptest! {
    // Whatever is there, whatever was tried and whatever is out: an untried endpoint of the right kind is found if and
    // only if there is one.
    #[test]
    fn an_untried_endpoint_is_found_if_there_is_one(
        endpoints in prop::collection::vec((0u8..3, any::<bool>(), any::<bool>(), any::<bool>()), 0..8),
    ) {
        let list: Vec<_> = (endpoints.iter().enumerate())
            .map(|(at, (node, terminating, _, _))| {
                let node = if *node == 0 { "here" } else { "there" };
                let state = if *terminating { EndpointState::Terminating } else { EndpointState::Ready };
                endpoint(at as u8, node, state)
            })
            .collect();
        let backend = backend(&list);
        let none_ready = endpoints.iter().all(|(_, terminating, _, _)| *terminating);
        let mut tried = Vec::new();
        let mut eligible = Vec::new();
        for (at, (_, terminating, was_tried, out)) in endpoints.iter().enumerate() {
            let endpoint = find_untried(&backend, at as u8);
            if *out {
                endpoint.eject();
            }
            if *was_tried {
                tried.push(endpoint.id);
            } else if !terminating || none_ready {
                eligible.push((endpoint.id, *out));
            }
        }
        let picked = backend.pick(false, &tried).map(|endpoint| endpoint.id);
        let any_in = eligible.iter().any(|(_, out)| !out);
        match picked {
            Some(id) => {
                let found = eligible.iter().find(|(eligible, _)| *eligible == id);
                prop_assert!(found.is_some(), "{id} may not be picked");
                prop_assert!(!any_in || found == Some(&(id, false)), "{id} is out");
            }
            None => prop_assert!(eligible.is_empty()),
        }
    }
}
