//! Policies that cannot be accepted.

use sluice_proto::{Kind, wire};
use wire::policy::Action;

use super::{Case, case};

pub(super) fn policies() -> Vec<Case> {
    let nobody = || Action::BasicAuth(wire::BasicAuth::default());
    let without_action = wire::Policy {
        action: None,
        ..policy(nobody())
    };
    let filter = wire::AddressFilter {
        allowed: vec!["10.0.0.0/33".to_owned()],
        ..wire::AddressFilter::default()
    };
    let rules = wire::HeaderRules {
        request: vec![wire::HeaderChange::default()],
        ..wire::HeaderRules::default()
    };
    let others = [
        ("credentials", nobody()),
        ("allowed, \"10.0.0.0/33\"", Action::AddressFilter(filter)),
        ("operation, 0", Action::HeaderRules(rules)),
        (
            "requests, 0",
            Action::ConcurrencyLimit(wire::ConcurrencyLimit::default()),
        ),
        ("url", Action::ForwardAuth(wire::ForwardAuth::default())),
        (
            "authorities",
            Action::ClientCertificate(wire::ClientCertificate::default()),
        ),
        ("to", Action::Redirect(wire::UrlRedirect::default())),
        ("change", Action::Rewrite(wire::Rewrite::default())),
        (
            "encodings",
            Action::Compression(wire::Compression::default()),
        ),
        ("attempts, 0", Action::Retry(wire::Retry::default())),
    ];
    let others = others.map(|(what, action)| (what, policy(action)));
    [
        ("object", wire::Policy::default()),
        ("action", without_action),
    ]
    .into_iter()
    .chain(others)
    .chain(rate_limits())
    .map(|(what, message)| case(what, Kind::Policy, "  spec", &message))
    .collect()
}

fn rate_limits() -> Vec<(&'static str, wire::Policy)> {
    let limit = |requests, period_ms, burst, ipv6_prefix| {
        policy(Action::RateLimit(wire::RateLimit {
            requests,
            period_ms,
            burst,
            source: Some(wire::Source {
                by: None,
                ipv6_prefix,
            }),
            delay_us: 0,
        }))
    };
    vec![
        ("requests, 0", limit(0, 1, 1, 0)),
        ("period_ms, 0", limit(1, 0, 1, 0)),
        ("burst, 0", limit(1, 1, 0, 0)),
        ("source.ipv6_prefix, 129, 0 to 128", limit(1, 1, 1, 129)),
    ]
}

fn policy(action: Action) -> wire::Policy {
    wire::Policy {
        object: Some(wire::ObjectReference::default()),
        field: "spec".to_owned(),
        action: Some(action),
    }
}
