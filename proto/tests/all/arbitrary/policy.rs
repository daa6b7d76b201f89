//! Arbitrary policies.

use std::num::{NonZeroU32, NonZeroU64};
use std::time::Duration;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use sluice_proto::{
    AddressFilter, BasicAuth, BodyLimit, ClientCertificate, Compression, ConcurrencyLimit, Cors,
    Credential, Encoding, ForwardAuth, HeaderChange, HeaderOperation, HeaderRules, Policy,
    PolicyAction, PolicyName, RateLimit, Redirect, RedirectParts, RedirectTo, Replacement, Retry,
    Rewrite, RouteTimeouts, Source, SourceBy, UpstreamTls,
};

use super::{bytes, object, port, range};

/// Returns any policy.
pub(super) fn policy() -> impl Strategy<Value = Policy> {
    (object(), any::<String>(), action())
        .prop_map(|(object, field, action)| Policy::new(object, field, action))
}

/// Returns any policy's name.
pub(super) fn name() -> impl Strategy<Value = PolicyName> {
    (object(), any::<String>()).prop_map(|(object, field)| PolicyName::of(&object, &field))
}

fn action() -> impl Strategy<Value = PolicyAction> {
    prop_oneof![
        rate_limit().prop_map(PolicyAction::RateLimit),
        concurrency_limit().prop_map(PolicyAction::ConcurrencyLimit),
        address_filter().prop_map(PolicyAction::AddressFilter),
        basic_auth().prop_map(PolicyAction::BasicAuth),
        forward_auth().prop_map(|auth| PolicyAction::ForwardAuth(Box::new(auth))),
        header_rules().prop_map(PolicyAction::HeaderRules),
        cors().prop_map(PolicyAction::Cors),
        redirect().prop_map(PolicyAction::Redirect),
        rewrite().prop_map(PolicyAction::Rewrite),
        body_limit().prop_map(PolicyAction::BodyLimit),
        compression().prop_map(PolicyAction::Compression),
        retry().prop_map(PolicyAction::Retry),
        timeouts().prop_map(PolicyAction::Timeouts),
        client_certificate().prop_map(PolicyAction::ClientCertificate),
    ]
}

fn source() -> impl Strategy<Value = Source> {
    let by = prop_oneof![
        Just(SourceBy::Client),
        Just(SourceBy::Peer),
        Just(SourceBy::Host),
        any::<String>().prop_map(SourceBy::Header),
        (1_u32..).prop_map(SourceBy::ForwardedDepth),
        vec(range(), 0..3).prop_map(SourceBy::ForwardedExcept),
    ];
    (by, option::of(1_u8..=128)).prop_map(|(by, ipv6_prefix)| Source { by, ipv6_prefix })
}

fn rate_limit() -> impl Strategy<Value = RateLimit> {
    (count(), 1_u64..1 << 40, count(), source(), any::<u32>()).prop_map(
        |(requests, period_ms, burst, source, delay_us)| RateLimit {
            requests,
            period: Duration::from_millis(period_ms),
            burst,
            source,
            delay: Duration::from_micros(delay_us.into()),
        },
    )
}

fn concurrency_limit() -> impl Strategy<Value = ConcurrencyLimit> {
    (any::<NonZeroU32>(), source())
        .prop_map(|(requests, source)| ConcurrencyLimit { requests, source })
}

fn address_filter() -> impl Strategy<Value = AddressFilter> {
    (
        vec(range(), 0..3),
        vec(range(), 0..3),
        source(),
        100_u16..600,
    )
        .prop_map(|(allowed, denied, source, status)| AddressFilter {
            allowed,
            denied,
            source,
            status,
        })
}

fn basic_auth() -> impl Strategy<Value = BasicAuth> {
    let credential = any::<(String, String)>().prop_map(|(user, hash)| Credential { user, hash });
    (any::<(String, bool)>(), vec(credential, 1..3), text()).prop_map(
        |((realm, remove_authorization), credentials, user_header)| BasicAuth {
            realm,
            credentials,
            remove_authorization,
            user_header,
        },
    )
}

fn forward_auth() -> impl Strategy<Value = ForwardAuth> {
    (
        ("[a-z]{1,9}", text(), text(), text()),
        (texts(), texts(), texts()),
        (any::<Option<u64>>(), 1_u64.., any::<[bool; 2]>()),
        timeout(),
        tls(),
    )
        .prop_map(
            |(
                one,
                lists,
                (body_bytes, response_bytes, [keep_location, keep_method]),
                timeout,
                tls,
            )| {
                ForwardAuth {
                    url: one.0,
                    request_headers: lists.0,
                    response_headers: lists.1,
                    response_headers_pattern: one.1,
                    cookies: lists.2,
                    user_header: one.2,
                    body_bytes,
                    response_bytes,
                    keep_location,
                    keep_method,
                    sign_in_url: one.3,
                    timeout,
                    tls,
                }
            },
        )
}

pub(super) fn tls() -> impl Strategy<Value = UpstreamTls> {
    (
        vec(bytes(), 0..3),
        text(),
        any::<bool>(),
        vec(bytes(), 0..3),
        bytes(),
    )
        .prop_map(
            |(authorities, server_name, insecure, chain, private_key)| UpstreamTls {
                authorities,
                server_name,
                insecure,
                chain,
                private_key,
            },
        )
}

fn header_rules() -> impl Strategy<Value = HeaderRules> {
    let operation = prop_oneof![
        any::<String>().prop_map(HeaderOperation::Set),
        any::<String>().prop_map(HeaderOperation::Add),
        Just(HeaderOperation::Remove),
    ];
    let change =
        (any::<String>(), operation, any::<bool>()).prop_map(|(name, operation, only_https)| {
            HeaderChange {
                name,
                operation,
                only_https,
            }
        });
    let changes = vec(change, 0..3);
    (changes.clone(), changes, texts()).prop_map(|(request, response, allowed_hosts)| HeaderRules {
        request,
        response,
        allowed_hosts,
    })
}

fn cors() -> impl Strategy<Value = Cors> {
    (
        (texts(), texts(), texts(), texts(), texts()),
        any::<([bool; 3], Option<u64>)>(),
        select(vec![200, 204]),
    )
        .prop_map(
            |(lists, ([credentials, vary, answer_all_preflights], max_age_s), preflight_status)| {
                Cors {
                    origins: lists.0,
                    origin_patterns: lists.1,
                    methods: lists.2,
                    headers: lists.3,
                    exposed_headers: lists.4,
                    credentials,
                    max_age_s,
                    vary,
                    preflight_status,
                    answer_all_preflights,
                }
            },
        )
}

fn redirect() -> impl Strategy<Value = Redirect> {
    let parts =
        (text(), text(), option::of(port()), text()).prop_map(|(scheme, host, port, path)| {
            RedirectTo::Parts(RedirectParts {
                scheme,
                host,
                port,
                path,
            })
        });
    let to = prop_oneof![parts, replacement().prop_map(RedirectTo::Url)];
    (any::<bool>(), option::of(300_u16..400), to).prop_map(|(permanent, status, to)| Redirect {
        permanent,
        status,
        to,
    })
}

fn rewrite() -> impl Strategy<Value = Rewrite> {
    prop_oneof![
        (texts(), any::<bool>()).prop_map(|(prefixes, whole_elements)| Rewrite::StripPrefix {
            prefixes,
            whole_elements
        }),
        texts().prop_map(Rewrite::StripPattern),
        any::<String>().prop_map(Rewrite::AddPrefix),
        any::<String>().prop_map(Rewrite::Path),
        replacement().prop_map(Rewrite::Replacement),
    ]
}

fn replacement() -> impl Strategy<Value = Replacement> {
    any::<(String, String)>().prop_map(|(pattern, replacement)| Replacement {
        pattern,
        replacement,
    })
}

fn body_limit() -> impl Strategy<Value = BodyLimit> {
    (option::of(count()), option::of(count())).prop_map(|(request_bytes, response_bytes)| {
        BodyLimit {
            request_bytes,
            response_bytes,
        }
    })
}

fn compression() -> impl Strategy<Value = Compression> {
    let encoding = || select(vec![Encoding::Gzip, Encoding::Brotli, Encoding::Zstd]);
    (
        vec(encoding(), 1..4),
        texts(),
        texts(),
        any::<u64>(),
        option::of(encoding()),
    )
        .prop_map(
            |(encodings, excluded_types, included_types, least_bytes, default_encoding)| {
                Compression {
                    encodings,
                    excluded_types,
                    included_types,
                    least_bytes,
                    default_encoding,
                }
            },
        )
}

fn retry() -> impl Strategy<Value = Retry> {
    let statuses = (100_u16..600, 100_u16..600).prop_map(|(first, last)| first..=last);
    (
        any::<NonZeroU32>(),
        timeout(),
        option::of(timeout()),
        vec(statuses, 0..3),
        any::<([bool; 2], u64)>(),
    )
        .prop_map(
            |(attempts, interval, timeout, statuses, ([a, b], body_bytes))| Retry {
                attempts,
                interval,
                timeout,
                statuses,
                non_idempotent: a,
                on_network_errors: b,
                body_bytes,
            },
        )
}

fn timeouts() -> impl Strategy<Value = RouteTimeouts> {
    vec(option::of(timeout()), 5).prop_map(|all| RouteTimeouts {
        connect: all[0],
        response_headers: all[1],
        request_body_idle: all[2],
        response_body_idle: all[3],
        request: all[4],
    })
}

fn client_certificate() -> impl Strategy<Value = ClientCertificate> {
    (option::of(vec(bytes(), 1..3)), any::<[bool; 2]>()).prop_map(
        |(authorities, [optional, forwarded])| ClientCertificate {
            authorities,
            optional,
            forwarded,
        },
    )
}

fn timeout() -> impl Strategy<Value = Duration> {
    (1_u64..=30 * 24 * 3_600_000).prop_map(Duration::from_millis)
}

fn count() -> impl Strategy<Value = NonZeroU64> {
    any::<NonZeroU64>()
}

fn text() -> impl Strategy<Value = Option<String>> {
    option::of("[ -~]{1,9}")
}

fn texts() -> impl Strategy<Value = Vec<String>> {
    vec(any::<String>(), 0..3)
}
