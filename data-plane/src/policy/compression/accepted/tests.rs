//! `Accept-Encoding` by examples, and against a model that reads it as slowly and plainly as the specification does.

use http::HeaderValue;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use sluice_proto::Encoding::{Brotli, Gzip, Zstd};

use super::*;

fn choose(header: Option<&str>, offered: &[Encoding], default: Option<Encoding>) -> Choice {
    let mut headers = HeaderMap::new();
    if let Some(header) = header {
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_str(header).unwrap());
    }
    Accepted::of(&headers).choose(offered, default)
}

#[test]
fn the_client_decides_and_the_policy_where_it_does_not() {
    for (header, encoding) in [
        ("gzip, deflate, br, zstd", Some(Brotli)),
        ("gzip;q=1.0, br;q=0.9", Some(Gzip)),
        ("GZIP", Some(Gzip)),
        ("x-gzip", Some(Gzip)),
        ("*", Some(Brotli)),
        ("br;q=0, *", Some(Gzip)),
        ("br ; Q=0.001", Some(Brotli)),
        ("identity;q=0.5, gzip;q=0.2", None),
        ("identity, gzip", Some(Gzip)),
        ("gzip;q=0", None),
        ("*;q=0", None),
        ("gzip;q=nonsense, zstd;q=0.1", Some(Zstd)),
        ("gzip;q=1.001, br;q=2, zstd;q=0.0001", None),
        ("deflate, compress", None),
        ("", None),
    ] {
        let chosen = choose(Some(header), &[Brotli, Gzip, Zstd], Some(Zstd));
        assert_eq!(chosen.encoding, encoding, "{header:?}");
    }
}

#[test]
fn whoever_says_nothing_gets_the_default() {
    for default in [None, Some(Gzip)] {
        let chosen = choose(None, &[Brotli], default);
        assert_eq!(chosen.encoding, default);
        assert!(!chosen.identity_refused);
    }
}

#[test]
fn some_accept_nothing_that_is_not_encoded() {
    for (header, refused) in [
        ("gzip, identity;q=0", true),
        ("gzip, *;q=0", true),
        ("identity, *;q=0", false),
        ("gzip", false),
        ("*", false),
    ] {
        let chosen = choose(Some(header), &[Gzip], None);
        assert_eq!(chosen.identity_refused, refused, "{header:?}");
    }
}

#[test]
fn several_headers_are_one_list() {
    let mut headers = HeaderMap::new();
    for value in ["gzip;q=0.5", "br"] {
        headers.append(ACCEPT_ENCODING, HeaderValue::from_static(value));
    }
    let chosen = Accepted::of(&headers).choose(&[Gzip, Brotli], None);
    assert_eq!(chosen.encoding, Some(Brotli));
}

// What the specification says of one coding: its own weight, else that of "*", else none; identity is acceptable unless it
// is said otherwise.
fn model(items: &[(&str, Option<f64>)], offered: &[Encoding]) -> Choice {
    let named = |name: &str| {
        let of_name = items.iter().filter(|(item, _)| *item == name);
        let weights = of_name.map(|(_, weight)| weight.unwrap_or(1.0));
        weights.reduce(f64::max)
    };
    let weight = |name: &str| named(name).or_else(|| named("*"));
    let mut ranked: Vec<(f64, usize)> = offered
        .iter()
        .enumerate()
        .map(|(place, encoding)| (weight(encoding.as_str()).unwrap_or(0.0), place))
        .filter(|(weight, _)| *weight > 0.0 && *weight >= named("identity").unwrap_or(0.0))
        .collect();
    ranked.sort_by(|(a, first), (b, second)| b.total_cmp(a).then(first.cmp(second)));
    Choice {
        encoding: ranked.first().map(|(_, place)| offered[*place]),
        identity_refused: weight("identity") == Some(0.0),
    }
}

proptest! {
    #[test]
    fn the_choice_is_that_of_the_model(
        items in prop::collection::vec(
            (
                select(vec!["gzip", "br", "zstd", "identity", "*", "deflate"]),
                prop::option::of(0_u16..=1_000),
            ),
            0..6,
        ),
        offered in subsequence(vec![Gzip, Brotli, Zstd], 1..=3).prop_shuffle(),
        space in select(vec!["", " ", "\t"]),
    ) {
        let written = items.iter().map(|(name, weight)| match weight {
            Some(weight) => format!("{name}{space};{space}q={}.{:03}", weight / 1_000, weight % 1_000),
            None => (*name).to_owned(),
        });
        let header = written.collect::<Vec<_>>().join(&format!("{space},{space}"));
        let weighed: Vec<(&str, Option<f64>)> = items
            .iter()
            .map(|(name, weight)| (*name, weight.map(|weight| f64::from(weight) / 1_000.0)))
            .collect();
        prop_assert_eq!(choose(Some(&header), &offered, None), model(&weighed, &offered), "{}", header);
    }

    #[test]
    fn nothing_that_a_stranger_writes_stops_it(header in "[ -~]{0,40}") {
        choose(Some(&header), &[Gzip, Brotli, Zstd], None);
    }
}
