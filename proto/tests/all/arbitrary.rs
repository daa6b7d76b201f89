//! Arbitrary resources and snapshots: everything that the control plane could make.

mod policy;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ipnet::IpNet;
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use sluice_proto::{
    AccessLog, Backend, BackendName, BackendProtocol, BackendTarget, Certificate,
    CertificateMaterial, CertificateName, Endpoint, EndpointState, Endpoints, Entry, Host,
    HostPattern, Kind, Limits, Listener, ListenerProtocol, MatchBy, MatchValue, MissingCertificate,
    ObjectReference, PathMatch, Problem, RequestMatch, Resource, ResourceKey, Route, RouteAction,
    SameSite, Settings, SettingsName, Snapshot, Sticky, Timeouts, TlsVersion, TrustedSet,
    WeightedBackend,
};

/// Returns any resource of any kind.
pub(crate) fn resource() -> impl Strategy<Value = Resource> {
    prop_oneof![
        listener().prop_map(Resource::Listener),
        settings().prop_map(|settings| Resource::Settings(Box::new(settings))),
        certificate().prop_map(Resource::Certificate),
        host().prop_map(Resource::Host),
        backend().prop_map(Resource::Backend),
        endpoints().prop_map(Resource::Endpoints),
        policy::policy().prop_map(|policy| Resource::Policy(Arc::new(policy))),
        route().prop_map(|route| Resource::Route(Arc::new(route))),
    ]
}

/// Returns any snapshot, with few names, so that two of them have some in common. Its bodies mean nothing.
pub(crate) fn snapshot() -> impl Strategy<Value = Snapshot> {
    let body = vec(any::<u8>(), 0..8).prop_map(|bytes| Arc::new(Entry::new(bytes.into())));
    btree_map(key(), body, 0..12).prop_map(|entries| entries.into_iter().collect())
}

pub(crate) fn key() -> impl Strategy<Value = ResourceKey> {
    (kind(), "[ab/:]{1,2}").prop_map(|(kind, name)| ResourceKey::new(kind, name))
}

pub(crate) fn kind() -> impl Strategy<Value = Kind> {
    prop::sample::select(&Kind::ALL[..])
}

pub(crate) fn bytes() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..40).prop_map(Bytes::from)
}

fn listener() -> impl Strategy<Value = Listener> {
    let protocol = prop_oneof![Just(ListenerProtocol::Http), Just(ListenerProtocol::Https)];
    (name(), option::of(any::<IpAddr>()), port(), protocol).prop_map(
        |(name, address, port, protocol)| Listener {
            name,
            address,
            port,
            protocol,
        },
    )
}

fn settings() -> impl Strategy<Value = Settings> {
    let edge_wide = (
        vec(range(), 0..4),
        "[a-z][a-z-]{0,12}",
        timeouts(),
        limits(),
        any::<bool>(),
        vec(range(), 0..4),
    );
    (
        settings_name(),
        edge_wide,
        settings_of_tls(),
        trusted_sets(),
    )
        .prop_map(
            |(
                name,
                (trusted_ranges, header, timeouts, limits, enabled, metrics_ranges),
                (missing_certificate, default_certificate, tls_minimum_version),
                trusted_sets,
            )| Settings {
                name,
                trusted_ranges,
                client_address_header: header,
                timeouts,
                limits,
                access_log: AccessLog { enabled },
                missing_certificate,
                metrics_ranges,
                default_certificate,
                tls_minimum_version,
                trusted_sets,
            },
        )
}

fn settings_name() -> impl Strategy<Value = SettingsName> {
    prop_oneof![
        Just(SettingsName::EDGE),
        name().prop_map(|class| SettingsName::of_class(&class)),
    ]
}

fn trusted_sets() -> impl Strategy<Value = Vec<TrustedSet>> {
    let set = any::<(String, String)>().prop_map(|(name, date)| TrustedSet { name, date });
    vec(set, 0..3)
}

fn settings_of_tls() -> impl Strategy<Value = (MissingCertificate, CertificateName, TlsVersion)> {
    let missing = prop_oneof![
        Just(MissingCertificate::DefaultCertificate),
        Just(MissingCertificate::RefuseHandshake)
    ];
    (missing, certificate_name(), tls_version())
}

fn tls_version() -> impl Strategy<Value = TlsVersion> {
    prop_oneof![Just(TlsVersion::Tls12), Just(TlsVersion::Tls13)]
}

fn range() -> impl Strategy<Value = IpNet> {
    any::<(IpAddr, u8)>().prop_map(|(ip, length)| {
        let longest = if ip.is_ipv4() { 32 } else { 128 };
        IpNet::new(ip, length % (longest + 1)).unwrap()
    })
}

fn timeouts() -> impl Strategy<Value = Timeouts> {
    vec(
        (1_u64..=30 * 24 * 3_600_000).prop_map(Duration::from_millis),
        10,
    )
    .prop_map(|all| Timeouts {
        connect: all[0],
        request_headers: all[1],
        client_idle: all[2],
        request_body_idle: all[3],
        response_headers: all[4],
        response_body_idle: all[5],
        endpoint_idle: all[6],
        upgrade_idle: all[7],
        drain: all[8],
        endpoints_stale: all[9],
    })
}

fn limits() -> impl Strategy<Value = Limits> {
    (1_u32..=16 << 20, 1_u32..=16_384, 1_u32.., 1_u32..).prop_map(
        |(header_bytes, header_count, connections, concurrent_streams)| Limits {
            header_bytes,
            header_count,
            connections,
            concurrent_streams,
        },
    )
}

fn certificate() -> impl Strategy<Value = Certificate> {
    let content = prop_oneof![material().prop_map(Ok), problem().prop_map(Err)];
    (certificate_name(), content).prop_map(|(name, content)| Certificate { name, content })
}

fn material() -> impl Strategy<Value = CertificateMaterial> {
    let private_key = vec(any::<u8>(), 1..40).prop_map(Bytes::from);
    (
        vec(bytes(), 1..4),
        private_key,
        vec(any::<String>(), 0..3),
        any::<(i64, i64)>(),
    )
        .prop_map(
            |(chain, private_key, names, (not_before_unix_s, not_after_unix_s))| {
                CertificateMaterial {
                    chain,
                    private_key,
                    names,
                    not_before_unix_s,
                    not_after_unix_s,
                }
            },
        )
}

fn certificate_name() -> impl Strategy<Value = CertificateName> {
    prop_oneof![
        Just(CertificateName::default_certificate()),
        (name(), name())
            .prop_map(|(namespace, secret)| { CertificateName::of_secret(&namespace, &secret) })
    ]
}

fn host() -> impl Strategy<Value = Host> {
    (
        pattern(),
        option::of(certificate_name()),
        settings_name(),
        vec(policy::name(), 0..2),
        tls_version(),
    )
        .prop_map(
            |(pattern, certificate, settings, client_certificates, tls_minimum_version)| Host {
                client_certificates,
                tls_minimum_version,
                pattern,
                certificate,
                settings,
            },
        )
}

fn pattern() -> impl Strategy<Value = HostPattern> {
    let label = "[a-zA-Z0-9_]([a-zA-Z0-9_-]{0,8}[a-zA-Z0-9_])?";
    let hosts = format!(r"\*|(\*\.)?{label}(\.{label}){{0,3}}\.?");
    proptest::string::string_regex(&hosts)
        .unwrap()
        .prop_map(|host| HostPattern::parse(&host).unwrap())
}

fn backend() -> impl Strategy<Value = Backend> {
    let protocol = prop_oneof![Just(BackendProtocol::Http1), Just(BackendProtocol::H2c)];
    let external = (pattern(), port()).prop_filter_map("a name", |(pattern, port)| match pattern {
        HostPattern::Exact(name) => Some(BackendTarget::ExternalName { name, port }),
        HostPattern::Wildcard(_) | HostPattern::Any => None,
    });
    let endpoints = vec(address(), 0..3)
        .prop_map(|cluster_addresses| BackendTarget::Endpoints { cluster_addresses });
    let rest = (option::of(policy::tls()), any::<bool>());
    (
        backend_name(),
        protocol,
        prop_oneof![external, endpoints],
        rest,
    )
        .prop_map(|(name, protocol, target, (tls, own_host))| Backend {
            name,
            protocol,
            target,
            tls,
            own_host,
        })
}

fn endpoints() -> impl Strategy<Value = Endpoints> {
    let state = prop_oneof![Just(EndpointState::Ready), Just(EndpointState::Terminating)];
    let rest = (state, option::of(name()), option::of(name()));
    // Sorted by address; each address once.
    (backend_name(), btree_map(address(), rest, 0..5)).prop_map(|(backend, endpoints)| {
        let endpoint = |(address, (state, node, zone))| Endpoint {
            address,
            state,
            node,
            zone,
        };
        Endpoints {
            backend,
            endpoints: BTreeMap::into_iter(endpoints).map(endpoint).collect(),
        }
    })
}

fn route() -> impl Strategy<Value = Route> {
    let weighted = (backend_name(), any::<u32>(), vec(request_match(), 0..2)).prop_map(
        |(backend, weight, matches)| WeightedBackend {
            backend,
            weight,
            matches,
        },
    );
    let action = prop_oneof![
        vec(weighted, 1..4).prop_map(RouteAction::Backends),
        problem().prop_map(RouteAction::Unavailable),
    ];
    (
        name(),
        pattern(),
        path(),
        object(),
        any::<(String, i64)>(),
        action,
        (
            option::of(certificate_name()),
            settings_name(),
            vec(policy::name(), 0..3),
            option::of(sticky()),
            option::of(any::<i64>()),
        ),
    )
        .prop_map(
            |(name, host, path, ingress, (field, created_unix_s), action, rest)| Route {
                name,
                host,
                path,
                ingress,
                field,
                created_unix_s,
                action,
                certificate: rest.0,
                settings: rest.1,
                policies: rest.2,
                sticky: rest.3,
                priority: rest.4,
            },
        )
}

fn request_match() -> impl Strategy<Value = RequestMatch> {
    let by = prop_oneof![
        any::<String>().prop_map(MatchBy::Header),
        any::<String>().prop_map(MatchBy::Cookie),
    ];
    let value = prop_oneof![
        any::<String>().prop_map(MatchValue::Exact),
        any::<String>().prop_map(MatchValue::Pattern),
    ];
    (by, value, any::<bool>()).prop_map(|(by, value, excludes)| RequestMatch {
        by,
        value,
        excludes,
    })
}

fn sticky() -> impl Strategy<Value = Sticky> {
    let same_site = prop::sample::select(vec![
        SameSite::Unset,
        SameSite::None,
        SameSite::Lax,
        SameSite::Strict,
    ]);
    (
        "[a-zA-Z_-]{1,9}",
        any::<([bool; 2], i64)>(),
        same_site,
        "/[a-z]{0,4}",
        option::of("[a-z.]{1,9}"),
    )
        .prop_map(
            |(cookie, ([secure, http_only], max_age_s), same_site, path, domain)| Sticky {
                cookie,
                secure,
                http_only,
                same_site,
                max_age_s,
                path,
                domain,
            },
        )
}

/// Returns any path that a rule may have, with and without a final slash.
pub(crate) fn path_text() -> impl Strategy<Value = String> {
    "(/[a-zA-Z0-9~ü:@*-][a-zA-Z0-9.]{0,6}){0,4}/?"
        .prop_filter("starts with a slash", |path| path.starts_with('/'))
}

fn path() -> impl Strategy<Value = PathMatch> {
    prop_oneof![
        path_text().prop_map(|path| PathMatch::exact(&path).unwrap()),
        path_text().prop_map(|path| PathMatch::prefix(&path).unwrap()),
        Just(PathMatch::Default),
    ]
}

pub(crate) fn problem() -> impl Strategy<Value = Problem> {
    (object(), any::<[String; 4]>()).prop_map(|(object, [field, code, message, remedy])| Problem {
        object,
        field,
        code,
        message,
        remedy,
    })
}

fn object() -> impl Strategy<Value = ObjectReference> {
    any::<[String; 3]>().prop_map(|[kind, namespace, name]| ObjectReference {
        kind,
        namespace,
        name,
    })
}

fn backend_name() -> impl Strategy<Value = BackendName> {
    let port = (name(), name(), port())
        .prop_map(|(namespace, service, port)| BackendName::of_service(&namespace, &service, port));
    (port, option::of(object())).prop_map(|(port, object)| match object {
        Some(object) => port.spoken_to_by(&object),
        None => port,
    })
}

fn address() -> impl Strategy<Value = SocketAddr> {
    (any::<IpAddr>(), port()).prop_map(|(ip, port)| SocketAddr::new(ip, port))
}

fn port() -> impl Strategy<Value = u16> {
    1_u16..
}

fn name() -> impl Strategy<Value = Arc<str>> {
    r"\PC{1,12}".prop_map(Arc::from)
}
