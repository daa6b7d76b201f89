//! A request to speak another protocol (WebSocket): HTTP/1.1's `Upgrade`, forwarded to the backend.

use http::header::{CONNECTION, UPGRADE};
use http::{HeaderMap, HeaderValue, Request, Version};
use hyper::upgrade::OnUpgrade;

/// What a client wants to change to.
pub(super) struct Wanted {
    protocol: HeaderValue,
    client: OnUpgrade,
}

impl Wanted {
    /// Returns the protocols, as the client names them.
    pub(super) const fn protocol(&self) -> &HeaderValue {
        &self.protocol
    }

    /// Returns the client's side of the connection, once it is free.
    pub(super) fn into_client(self) -> OnUpgrade {
        self.client
    }
}

/// Returns what the client of this request wants to change to.
///
/// RFC 9110, section 7.8: "A server MAY ignore a received Upgrade header field"; it does for HTTP/2 in clear, which is
/// spoken with prior knowledge.
pub(super) fn wanted<B>(request: &mut Request<B>) -> Option<Wanted> {
    if request.version() != Version::HTTP_11 || !names_upgrade(request) {
        return None;
    }
    let protocol = request.headers().get(UPGRADE)?.clone();
    if offers_h2c(&protocol) {
        return None;
    }
    let client = request.extensions_mut().remove::<OnUpgrade>()?;
    Some(Wanted { protocol, client })
}

fn names_upgrade<B>(request: &Request<B>) -> bool {
    let values = request.headers().get_all(CONNECTION).iter();
    let mut options = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    options.any(|option| option.trim_ascii().eq_ignore_ascii_case(b"upgrade"))
}

// Wherever in the list it stands: an endpoint that took it up would speak HTTP past the routes.
fn offers_h2c(protocols: &HeaderValue) -> bool {
    let mut protocols = protocols.as_bytes().split(|byte| *byte == b',');
    protocols.any(|protocol| protocol.trim_ascii().eq_ignore_ascii_case(b"h2c"))
}

/// Returns the protocol that an endpoint has changed to.
pub(super) fn protocol(headers: &HeaderMap) -> Option<HeaderValue> {
    headers.get(UPGRADE).cloned()
}

/// Tells the client what was changed to; between two neighbours this header had ended at the proxy.
pub(super) fn restore(headers: &mut HeaderMap, protocol: Option<HeaderValue>) {
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    if let Some(protocol) = protocol {
        headers.insert(UPGRADE, protocol);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h2c_is_seen_wherever_it_stands() {
        for (protocols, offers) in [
            ("h2c", true),
            ("H2C", true),
            ("h2c, websocket", true),
            ("websocket ,h2c", true),
            ("h2c ,", true),
            ("websocket", false),
            ("h2cx", false),
        ] {
            let value = HeaderValue::from_static(protocols);
            assert_eq!(offers_h2c(&value), offers, "{protocols}");
        }
    }
}
