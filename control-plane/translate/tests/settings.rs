//! The settings file: what each field means, and where an error says that it is.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use sluice_proto::{ListenerProtocol, MissingCertificate, Timeouts, TlsVersion};
use sluice_translate::{EdgeSettings, ProxySet, SecretReference, StatusAddress};

#[test]
fn every_field_arrives() {
    let settings = EdgeSettings::parse(FULL).unwrap();
    let [http, https] = settings.listeners.as_slice() else {
        unreachable!("two listeners")
    };
    assert_eq!(
        (&*http.name, http.address, http.port, http.protocol),
        ("web", None, 8080, ListenerProtocol::Http)
    );
    assert_eq!(https.address, Some("::1".parse().unwrap()));
    assert_eq!(https.protocol, ListenerProtocol::Https);
    let controllers: Vec<_> = settings.ingress.controllers.iter().collect();
    assert_eq!(controllers, ["a", "b"]);
    assert!(settings.ingress.allow_external_name);
    assert!(!settings.ingress.hosts_across_namespaces);
    let secret = SecretReference {
        namespace: "edge".to_owned(),
        name: "fallback".to_owned(),
    };
    assert_eq!(settings.default_certificate, Some(secret));
    let edge = settings.edge;
    assert_eq!(edge.trusted_ranges, ["10.0.0.0/8".parse().unwrap()]);
    assert_eq!(settings.trusted_sets, ["cloudflare", "office"]);
    let office = ProxySet {
        date: "2026-01-31".to_owned(),
        ranges: vec!["192.0.2.0/24".parse().unwrap()],
    };
    assert_eq!(settings.proxy_sets["office"], office);
    assert_eq!(edge.tls_minimum_version, TlsVersion::Tls13);
    assert_eq!(edge.client_address_header, "cf-connecting-ip");
    let seconds = Duration::from_secs;
    let timeouts = Timeouts {
        connect: Duration::from_millis(1),
        request_headers: seconds(2),
        client_idle: seconds(180),
        request_body_idle: seconds(4),
        response_headers: seconds(5),
        response_body_idle: seconds(6),
        endpoint_idle: seconds(7),
        upgrade_idle: seconds(8 * 3600),
        drain: seconds(9),
        endpoints_stale: seconds(10),
    };
    assert_eq!(edge.timeouts, timeouts);
    let limits = edge.limits;
    assert_eq!((limits.header_bytes, limits.header_count), (1, 2));
    assert_eq!((limits.connections, limits.concurrent_streams), (3, 4));
    assert!(edge.access_log.enabled);
    assert_eq!(
        edge.missing_certificate,
        MissingCertificate::RefuseHandshake
    );
    assert_eq!(edge.metrics_ranges, ["192.168.0.0/16".parse().unwrap()]);
    assert!(!settings.status.publish);
    let addresses: Vec<_> = settings.status.addresses.into_iter().collect();
    let expected = [
        StatusAddress::Ip("192.0.2.1".parse().unwrap()),
        StatusAddress::Hostname("edge.example.com".to_owned()),
    ];
    assert_eq!(addresses, expected);
}

#[test]
fn what_is_not_said_has_its_default() {
    let all_empty = "listeners:\ningress:\ndefaultCertificate:\ntrustedProxies:\ntimeouts:\nlimits:\ntls:\nproxySets:\naccessLog:\nmetrics:\nstatus:\n";
    for text in ["", "# nothing\n", "---\n", "{}", "~", all_empty] {
        assert_eq!(
            EdgeSettings::parse(text),
            Ok(EdgeSettings::default()),
            "{text:?}"
        );
    }
}

#[test]
fn an_error_names_line_and_field() {
    for (text, expected) in WRONG {
        let error = EdgeSettings::parse(text).unwrap_err().to_string();
        assert!(
            error.starts_with(expected),
            "{text:?}\n  says     {error}\n  not      {expected}"
        );
    }
}

const FULL: &str = "
listeners:
  - {name: web, port: 8080, protocol: HTTP, address: ''}
  - {name: tls, port: 8443, protocol: HTTPS, address: '::1'}
ingress: {controllers: [b, a], allowExternalName: true, hostsAcrossNamespaces: false}
defaultCertificate: {namespace: edge, secretName: fallback}
trustedProxies: {ranges: [10.0.0.0/8], sets: [cloudflare, office], clientAddressHeader: CF-Connecting-IP}
proxySets: {office: {date: 2026-01-31, ranges: [192.0.2.0/24]}}
tls: {minimumVersion: TLS1.3}
timeouts:
  connect: 1ms
  requestHeaders: 2s
  clientIdle: 3m
  requestBodyIdle: 4s
  responseHeaders: 5s
  responseBodyIdle: 6s
  endpointIdle: 7s
  upgradeIdle: 8h
  drain: 9s
  endpointsStale: 10s
limits: {headerBytes: 1, headerCount: 2, connections: 3, concurrentStreams: 4}
accessLog: {enabled: true}
missingCertificate: RefuseHandshake
metrics: {allowedRanges: [192.168.0.0/16]}
status: {publish: false, addresses: [edge.example.com, 192.0.2.1]}
";

const WRONG: &[(&str, &str)] = &[
    (
        "status:\n  addresses: [192.0.2.1, Edge_1]\n",
        "line 2: status.addresses[1]: \"Edge_1\" is neither an IP address nor a DNS name",
    ),
    (
        "timeouts:\n  conect: 1s\n",
        "line 2: timeouts.conect: unknown field `conect`, expected one of connect,",
    ),
    (
        "# comment\nlisterners: []\n",
        "line 2: listerners: unknown field",
    ),
    (
        "timeouts:\n  connect: 5\n",
        "line 2: timeouts.connect: \"5\" is no duration",
    ),
    (
        "timeouts:\n  drain: 0s\n",
        "line 2: timeouts.drain: 0s is not in 1ms to 720h",
    ),
    (
        "timeouts:\n  drain: 721h\n",
        "line 2: timeouts.drain: 721h is not in",
    ),
    ("timeouts: 3s\n", "line 1: timeouts: expected mapping"),
    (
        "limits:\n  headerBytes: 0\n",
        "line 2: limits.headerBytes: 0 is not in 1 to 16777216",
    ),
    (
        "limits:\n  headerBytes: 16777217\n",
        "line 2: limits.headerBytes",
    ),
    (
        "limits:\n  headerCount: 16385\n",
        "line 2: limits.headerCount",
    ),
    (
        "limits:\n  connections: 4294967296\n",
        "line 2: limits.connections",
    ),
    (
        "limits:\n  concurrentStreams: -1\n",
        "line 2: limits.concurrentStreams",
    ),
    (
        "listeners: []\n",
        "line 1: listeners: there must be at least one listener",
    ),
    (
        "listeners:\n- {name: a, port: 0, protocol: HTTP}\n",
        "line 2: listeners[0].port",
    ),
    (
        "listeners:\n- {name: a, port: 65536, protocol: HTTP}\n",
        "line 2: listeners[0].port",
    ),
    (
        "listeners:\n- {name: A b, port: 1, protocol: HTTP}\n",
        "line 2: listeners[0].name: \"A b\" is no name",
    ),
    (
        "listeners:\n- {name: a, port: 1, protocol: TCP}\n",
        "line 2: listeners[0].protocol: unknown variant",
    ),
    (
        "listeners:\n- {name: a, port: 1, protocol: HTTP, address: here}\n",
        "line 2: listeners[0].address",
    ),
    (
        "listeners:\n- {name: a, protocol: HTTP}\n",
        "line 2: listeners[0]: missing field `port`",
    ),
    (
        "listeners:\n- {name: a, port: 1, protocol: HTTP}\n- {name: a, port: 2, protocol: HTTP}\n",
        "line 3: listeners[1]: a is the name of another listener",
    ),
    (
        "listeners:\n- {name: a, port: 1, protocol: HTTP, address: '::1'}\n- {name: b, port: 1, protocol: HTTP}\n",
        "line 3: listeners[1]: the listener a has the port 1 on this address, too",
    ),
    (
        "ingress:\n  controllers: []\n",
        "line 2: ingress.controllers: there must be at least one",
    ),
    (
        "defaultCertificate: {namespace: a}\n",
        "line 1: defaultCertificate: missing field `secretName`",
    ),
    (
        "defaultCertificate: {namespace: '', secretName: b}\n",
        "line 1: defaultCertificate.namespace: it is empty",
    ),
    (
        "trustedProxies:\n  ranges:\n  - 10.0.0.0/33\n",
        "line 3: trustedProxies.ranges[0]",
    ),
    (
        "trustedProxies:\n  sets:\n  - cloudflare\n  - fastly\n",
        "line 4: trustedProxies.sets[1]: there is no set fastly (there are: cloudflare)",
    ),
    (
        "proxySets:\n  office: {date: yesterday}\n",
        "line 2: proxySets.office.date: \"yesterday\" is no day",
    ),
    (
        "proxySets:\n  No Name: {}\n",
        "line 2: proxySets.No Name: \"No Name\" is no name",
    ),
    (
        "tls:\n  minimumVersion: 1.3\n",
        "line 2: tls.minimumVersion: unknown variant",
    ),
    (
        "trustedProxies:\n  clientAddressHeader: 'a b'\n",
        "line 2: trustedProxies.clientAddressHeader",
    ),
    (
        "accessLog:\n  enabled: often\n",
        "line 2: accessLog.enabled",
    ),
    (
        "missingCertificate: Panic\n",
        "line 1: missingCertificate: unknown variant",
    ),
    (
        "limits: {headerBytes: 1}\nlimits: {headerBytes: 2}\n",
        "line 2: duplicate mapping key",
    ),
    ("a: b: c\n", "line 1: "),
    ("- a\n", "line 1: expected mapping"),
    ("timeouts: {connect: 1s}\n---\nlimits: {}\n", "line "),
];
