//! Who the client is, and how backends are told: one identity, in headers that nobody but a trusted peer may bring along.

use std::net::IpAddr;

use bytes::Bytes;
use http::header::Entry;
use http::{HeaderName, HeaderValue, Request};
use sluice_routing::{ClientAddress, TrustedPeers};

use crate::cores::{ClientConnection, Scheme};
use crate::proxy::headers::{remove_named, with_hyphens};
use crate::proxy::request_id::REQUEST_ID;
use crate::proxy::target::Target;

/// Returns who a request is from.
pub(super) fn client<B>(
    trusted: &TrustedPeers,
    connection: &ClientConnection,
    request: &Request<B>,
) -> ClientAddress {
    let values = request.headers().get_all(trusted.header_name());
    let values = values.iter().map(HeaderValue::as_bytes);
    trusted.client(connection.peer, values)
}

/// Returns the scheme that the client used, as far as is known.
pub(super) fn scheme<B>(
    connection: &ClientConnection,
    client: &ClientAddress,
    request: &Request<B>,
) -> Scheme {
    let claimed = || match request.headers().get(PROTO)?.as_bytes() {
        b"https" => Some(Scheme::Https),
        b"http" => Some(Scheme::Http),
        _ => None,
    };
    let trusted = client.peer_is_trusted.then(claimed).flatten();
    trusted.unwrap_or_else(|| connection.scheme())
}

/// Tells the backend who the client is, how it came and what the request's id is; everything else that says so is
/// taken out.
///
/// "One client identity": `X-Forwarded-For` starts with the client. What stands left of it in a trusted peer's header
/// was made up by somebody, and `Forwarded` is never sent on: few proxies rewrite it, so it may be anybody's.
pub(super) fn name_client<B>(
    request: &mut Request<B>,
    connection: &ClientConnection,
    client: &ClientAddress,
    target: &Target,
    request_id: &HeaderValue,
    peers: &TrustedPeers,
) {
    let scheme = scheme(connection, client, request);
    let headers = request.headers_mut();
    let (trusted, configured) = (client.peer_is_trusted, peers.header_name());
    remove_named(headers, |name| {
        is_identity(name.as_str(), trusted, configured)
    });
    headers.reserve(HEADERS_ADDED);
    let is_peer = client.proxies.is_empty();
    headers.insert(
        FOR,
        if is_peer {
            connection.peer_text.clone()
        } else {
            chain(client)
        },
    );
    headers.insert(
        REAL_IP,
        if is_peer {
            connection.peer_text.clone()
        } else {
            address_value(client.address)
        },
    );
    headers.insert(PROTO, HeaderValue::from_static(scheme.as_str()));
    let own_scheme = scheme == connection.scheme();
    if let Entry::Vacant(host) = headers.entry(HOST) {
        host.insert(target.authority().clone());
    }
    if let Entry::Vacant(port) = headers.entry(PORT) {
        port.insert(match scheme {
            _ if own_scheme => port_value(connection.listener.port),
            Scheme::Http => HeaderValue::from_static("80"),
            Scheme::Https => HeaderValue::from_static("443"),
        });
    }
    headers.insert(REQUEST_ID, request_id.clone());
}

/// Returns an address as a header's value.
pub(crate) fn address_value(address: IpAddr) -> HeaderValue {
    value(address.to_string())
}

fn chain(client: &ClientAddress) -> HeaderValue {
    let mut text = client.address.to_string();
    for proxy in &client.proxies {
        text.push_str(", ");
        text.push_str(&proxy.to_string());
    }
    value(text)
}

fn port_value(port: u16) -> HeaderValue {
    match port {
        80 => HeaderValue::from_static("80"),
        443 => HeaderValue::from_static("443"),
        other => HeaderValue::from(other),
    }
}

// Addresses and commas are visible ASCII.
fn value(text: String) -> HeaderValue {
    HeaderValue::from_maybe_shared(Bytes::from(text)).unwrap_or(HeaderValue::from_static("unknown"))
}

/// Returns whether a request's header says who its client is or how it came, and may not be sent on.
///
/// Some servers read `X_Forwarded_For` as `X-Forwarded-For`, so underscores count as hyphens, and are not trusted from
/// anybody.
fn is_identity(name: &str, trusted: bool, configured: &str) -> bool {
    if let Some(hyphens) = with_hyphens(name) {
        return hyphens == REQUEST_ID.as_str() || is_of_the_client(&hyphens, configured);
    }
    name == "forwarded" || (!trusted && is_of_the_client(name, configured))
}

fn is_of_the_client(name: &str, configured: &str) -> bool {
    name.starts_with("x-forwarded-") || name == configured || IDENTITIES.contains(&name)
}

const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
const HEADERS_ADDED: usize = 6;
const IDENTITIES: [&str; 9] = [
    "cf-connecting-ip",
    "cf-connecting-ipv6",
    "fastly-client-ip",
    "forwarded",
    "true-client-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-original-forwarded-for",
    "x-real-ip",
];
