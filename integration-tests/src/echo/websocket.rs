//! The WebSocket side of the echo server: the handshake of RFC 6455, and messages sent back. HTTP is in
//! [`super::answer`].

use futures_util::{SinkExt as _, StreamExt as _};
use http::header::UPGRADE;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::sync::watch;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::handshake::server::create_response;
use tokio_tungstenite::tungstenite::protocol::Role;

pub(super) fn is_asked_for(request: &Request<Incoming>) -> bool {
    let upgrade = request
        .headers()
        .get(UPGRADE)
        .map(http::HeaderValue::as_bytes);
    upgrade.is_some_and(|upgrade| upgrade.eq_ignore_ascii_case(b"websocket"))
}

/// The answer 101 with the key's proof, or what is wrong with the handshake.
pub(super) fn accept(request: &Request<Incoming>) -> Result<Response<()>, Box<Error>> {
    // The library wants a request without this body type in it.
    let mut asked = Request::new(());
    *asked.method_mut() = request.method().clone();
    *asked.version_mut() = request.version();
    *asked.uri_mut() = request.uri().clone();
    *asked.headers_mut() = request.headers().clone();
    create_response(&asked).map_err(Box::new)
}

/// Returns every message until either side closes, or the server stops.
pub(super) async fn echo(upgraded: OnUpgrade, mut stopped: watch::Receiver<bool>) {
    let Ok(upgraded) = upgraded.await else { return };
    let mut socket =
        WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await;
    loop {
        let message = tokio::select! {
            message = socket.next() => message,
            () = super::told_to_stop(&mut stopped) => {
                // The peer's answer to this ends the loop's next turn, or the peer is gone.
                let _ = socket.close(None).await;
                let _ = socket.next().await;
                return;
            }
        };
        let Some(Ok(message)) = message else { return };
        // Pings and closes are answered by the library.
        if (message.is_text() || message.is_binary()) && socket.send(message).await.is_err() {
            return;
        }
    }
}
