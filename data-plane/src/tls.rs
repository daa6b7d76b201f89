//! TLS towards clients: one configuration for all listeners, whose certificates come from what is served.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{Error, ServerConfig};

use crate::metrics::HandshakeFailure;
use crate::serving::{Served, provider};

/// Returns how clients are spoken to: TLS 1.2 and 1.3, HTTP/2 before HTTP/1.1.
///
/// # Errors
///
/// If the provider's cipher suites do not fit the versions, which is this program's fault.
pub(crate) fn server_config(served: Arc<ArcSwap<Served>>) -> Result<Arc<ServerConfig>, Error> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13, &TLS12])?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Resolver { served }));
    config.alpn_protocols = vec![ALPN_HTTP2.to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Returns why a handshake failed, as metrics name it.
pub(crate) fn handshake_failure(error: &std::io::Error) -> HandshakeFailure {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref());
    match tls {
        Some(Error::AlertReceived(_)) => HandshakeFailure::Alert,
        Some(Error::General(why)) if why == NO_CERTIFICATE => HandshakeFailure::NoCertificate,
        Some(_) => HandshakeFailure::Protocol,
        None => HandshakeFailure::Closed,
    }
}

struct Resolver {
    served: Arc<ArcSwap<Served>>,
}

impl ResolvesServerCert for Resolver {
    // rustls hands the name over as the client sent it: a DnsName, which compares without case.
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name().map(str::to_ascii_lowercase);
        let name = name
            .as_deref()
            .map(|name| name.strip_suffix('.').unwrap_or(name));
        self.served.load().certificates.lookup(name)
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver").finish_non_exhaustive()
    }
}

/// HTTP/2 in ALPN.
pub(crate) const ALPN_HTTP2: &[u8] = b"h2";
// What rustls says if a resolver has none.
const NO_CERTIFICATE: &str = "no server certificate chain resolved";
