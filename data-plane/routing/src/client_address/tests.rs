//! Whose word counts: examples, and a property against a model that takes the whole list apart first.

use proptest::prelude::*;

use super::*;

fn trusted(header: &str) -> TrustedPeers {
    let ranges = ["10.0.0.0/8", "fd00::/8"];
    let ranges = ranges.map(|range| range.parse().unwrap());
    TrustedPeers::new(ranges.to_vec(), header)
}

fn ask(header: &str, peer: &str, values: &[&str]) -> ClientAddress {
    trusted(header).client(
        peer.parse().unwrap(),
        values.iter().map(|value| value.as_bytes()),
    )
}

fn addresses(list: &[&str]) -> Vec<IpAddr> {
    list.iter().map(|text| text.parse().unwrap()).collect()
}

#[test]
fn a_peer_outside_the_ranges_is_the_client_whatever_it_says() {
    for header in ["x-forwarded-for", "cf-connecting-ip"] {
        let client = ask(header, "192.0.2.1", &["10.0.0.9", "203.0.113.7"]);
        assert_eq!(client.address, "192.0.2.1".parse::<IpAddr>().unwrap());
        assert!(!client.peer_is_trusted);
        assert!(client.proxies.is_empty());
    }
}

#[test]
fn x_forwarded_for_is_counted_from_the_right() {
    let client = ask(
        "x-forwarded-for",
        "10.0.0.1",
        &["6.6.6.6, 203.0.113.7", "10.0.0.2"],
    );
    assert_eq!(client.address, "203.0.113.7".parse::<IpAddr>().unwrap());
    assert_eq!(client.proxies, addresses(&["10.0.0.2", "10.0.0.1"]));
}

#[test]
fn only_trusted_addresses_make_the_leftmost_one_the_client() {
    let client = ask("x-forwarded-for", "10.0.0.1", &["10.0.0.3, 10.0.0.2"]);
    assert_eq!(client.address, "10.0.0.3".parse::<IpAddr>().unwrap());
}

#[test]
fn nothing_left_of_garbage_is_trusted() {
    for garbage in [
        "",
        "unknown",
        "10.0.0",
        "10.0.0.4 10.0.0.5",
        "\u{e4}",
        "_hidden",
    ] {
        let value = format!("203.0.113.7, {garbage}, 10.0.0.2");
        let client = ask("x-forwarded-for", "10.0.0.1", &[&value]);
        assert_eq!(
            client.address,
            "10.0.0.2".parse::<IpAddr>().unwrap(),
            "{garbage:?}"
        );
    }
}

#[test]
fn ports_brackets_and_mapped_addresses_are_understood() {
    for (value, expected) in [
        ("203.0.113.7:4711", "203.0.113.7"),
        ("[2001:db8::7]:4711", "2001:db8::7"),
        ("[2001:db8::7]", "2001:db8::7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
    ] {
        let client = ask("x-forwarded-for", "::ffff:10.0.0.1", &[value]);
        assert_eq!(
            client.address,
            expected.parse::<IpAddr>().unwrap(),
            "{value}"
        );
    }
}

#[test]
fn a_header_with_one_address_counts_once() {
    let client = |values: &[&str]| {
        ask("cf-connecting-ip", "10.0.0.1", values)
            .address
            .to_string()
    };
    assert_eq!(client(&["203.0.113.7"]), "203.0.113.7");
    assert_eq!(client(&["203.0.113.7", "203.0.113.8"]), "10.0.0.1");
    assert_eq!(client(&["203.0.113.7, 203.0.113.8"]), "10.0.0.1");
    assert_eq!(client(&["nobody"]), "10.0.0.1");
    assert_eq!(client(&[]), "10.0.0.1");
}

fn item() -> impl Strategy<Value = String> {
    prop_oneof![
        (0u8..4).prop_map(|last| format!("10.0.0.{last}")),
        (0u8..4).prop_map(|last| format!("203.0.113.{last}")),
        (0u8..4).prop_map(|last| format!("fd00::{last}")),
        "[a-z0-9.:]{0,8}",
    ]
}

proptest! {
    #[test]
    fn as_the_model_has_it(
        values in prop::collection::vec(prop::collection::vec(item(), 1..4), 0..4),
        peer in prop_oneof![Just("10.0.0.1"), Just("192.0.2.1")],
    ) {
        let peer: IpAddr = peer.parse().unwrap();
        let peers = trusted("x-forwarded-for");
        let mut hops: Vec<Option<IpAddr>> = values.iter().flatten().map(|item| item.parse().ok()).collect();
        hops.push(Some(peer));
        // The model: the longest run at the right end in which each but the first is trusted.
        let mut first = hops.len() - 1;
        while first > 0 && hops[first].is_some_and(|hop| peers.contains(hop)) && hops[first - 1].is_some() {
            first -= 1;
        }
        let lines: Vec<String> = values.iter().map(|items| items.join(", ")).collect();
        let found = peers.client(peer, lines.iter().map(String::as_bytes));
        prop_assert_eq!(Some(found.address), hops[first]);
        let run: Vec<IpAddr> = hops[first + 1..].iter().copied().flatten().collect();
        prop_assert_eq!(found.proxies, run);
    }

    #[test]
    fn any_bytes_are_borne(values in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..4)) {
        for header in ["x-forwarded-for", "cf-connecting-ip"] {
            let _ = trusted(header).client("10.0.0.1".parse().unwrap(), values.iter().map(Vec::as_slice));
        }
    }
}
