//! Accepts connections for the stream and shakes hands: whoever has no certificate of our authority gets no further, and is
//! cut off once that authority is to be trusted no more.
//!
//! It knows nothing of HTTP/2 or gRPC: [`server`](super::server) serves what comes out of it.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Weak};
use std::time::Duration;

use rustls::ServerConfig;
use rustls_pki_types::CertificateDer;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

use crate::connection::{Client, Connection};
use crate::identity::Identity;

/// Accepts until the receiver of connections is gone.
pub(crate) async fn accept(
    listener: TcpListener,
    identity: Arc<Identity>,
    connections: mpsc::Sender<io::Result<Connection<TlsStream<TcpStream>>>>,
    cut: CancellationToken,
) {
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    // Handshakes are owned here: they end with this function.
    let mut handshakes = JoinSet::new();
    let mut shaking_hands: VecDeque<AbortHandle> = VecDeque::new();
    let mut open: Vec<Weak<Client>> = Vec::new();
    loop {
        let accepted = tokio::select! {
            () = connections.closed() => return,
            accepted = listener.accept() => accepted,
            Some(ended) = handshakes.join_next() => {
                open.retain(|client| client.strong_count() > 0);
                open.extend(ended.ok().flatten());
                continue;
            }
            () = identity.changed() => {
                cut_distrusted(&open, &identity);
                continue;
            }
        };
        let (stream, peer) = match accepted {
            // On a socket of both families, IPv4 comes as ::ffff:a.b.c.d.
            Ok((stream, peer)) => (
                stream,
                SocketAddr::new(peer.ip().to_canonical(), peer.port()),
            ),
            Err(error) => {
                // One connection that failed before it was accepted, or no descriptor left: both pass.
                tracing::warn!(%error, "cannot accept a connection of a data plane");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        // The oldest makes room: a crowd that says nothing must not keep a data plane out.
        shaking_hands.retain(|handshake| !handshake.is_finished());
        if shaking_hands.len() >= MOST_HANDSHAKES
            && let Some(oldest) = shaking_hands.pop_front()
        {
            tracing::debug!("too many handshakes at once; closed the oldest");
            oldest.abort();
        }
        let (config, places) = (identity.server_config(), Arc::clone(&places));
        let (connections, cut) = (connections.clone(), cut.clone());
        shaking_hands.push_back(handshakes.spawn(async move {
            let stream = shake_hands(stream, peer, config).await?;
            let Ok(place) = places.try_acquire_owned() else {
                tracing::warn!(%peer, most = MOST_CONNECTIONS, "too many data planes; closed a connection");
                return None;
            };
            let client = Arc::new(Client {
                peer,
                certificate: leaf(&stream),
                cut: cut.child_token(),
            });
            let open = Arc::downgrade(&client);
            let connection = Connection::new(stream, client, place);
            // Without a receiver the server is shutting down.
            connections.send(Ok(connection)).await.ok()?;
            Some(open)
        }));
    }
}

fn cut_distrusted(open: &[Weak<Client>], identity: &Identity) {
    for client in open.iter().filter_map(Weak::upgrade) {
        let certificate = client.certificate.as_ref();
        if !certificate.is_some_and(|certificate| identity.may_go_on(certificate)) {
            tracing::warn!(peer = %client.peer,
                "cut a data plane off: the authority of the certificate that it came with is trusted no more");
            client.cut.cancel();
        }
    }
}

fn leaf(stream: &TlsStream<TcpStream>) -> Option<CertificateDer<'static>> {
    let certificates = stream.get_ref().1.peer_certificates()?;
    certificates.first().map(|leaf| leaf.clone().into_owned())
}

async fn shake_hands(
    stream: TcpStream,
    peer: SocketAddr,
    config: Arc<ServerConfig>,
) -> Option<TlsStream<TcpStream>> {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%peer, %error, "cannot set TCP_NODELAY");
    }
    match timeout(HANDSHAKE_TIMEOUT, TlsAcceptor::from(config).accept(stream)).await {
        Ok(Ok(stream)) => Some(stream),
        // A probe of the port, such as a load balancer's: not worth a line for each.
        Ok(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
            tracing::debug!(%peer, "a connection was closed before the TLS handshake ended");
            None
        }
        Ok(Err(error)) => {
            tracing::info!(%peer, %error, "refused a connection: no TLS handshake with a certificate of our authority");
            None
        }
        Err(_) => {
            tracing::info!(%peer, "refused a connection: the TLS handshake took too long");
            None
        }
    }
}

/// Anybody may begin a handshake, so those have places of their own: they cannot take a data plane's.
const MOST_HANDSHAKES: usize = 1024;
const MOST_CONNECTIONS: usize = 4096;
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
