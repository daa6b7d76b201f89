//! Connections to endpoints: opened, pooled per core and endpoint, and lent to one request at a time (HTTP/1.1) or to many
//! (HTTP/2).

mod dial;
mod places;
mod pool;
mod prohibited;
mod tls;

use std::error::Error;
use std::future::Future;
use std::rc::Rc;

use futures_util::FutureExt;
use http::header::{CONNECTION, HOST, UPGRADE};
use http::uri::{Authority, Parts, Scheme};
use http::{Request, Response, Uri, Version};
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};
use sluice_proto::BackendProtocol;

use crate::proxy::body::RequestBody;
use crate::proxy::respond::Cause;
use crate::proxy::upstream::places::Place;
use crate::serving::Outstanding;

pub(crate) use crate::proxy::upstream::places::Places;
pub(crate) use crate::proxy::upstream::pool::Pool;
pub(crate) use crate::proxy::upstream::tls::{ServerTls, UnusableTls};

/// A connection to an endpoint, for one request.
pub(super) struct Connected {
    endpoint: u64,
    sender: Sender,
    reused: bool,
}

enum Sender {
    Http1(http1::SendRequest<RequestBody>),
    Http2 {
        sender: http2::SendRequest<RequestBody>,
        // Counts the requests that share it.
        _user: Rc<()>,
    },
}

impl Connected {
    /// Returns whether it has served another request before.
    pub(super) const fn is_reused(&self) -> bool {
        self.reused
    }

    pub(super) const fn is_http2(&self) -> bool {
        matches!(self.sender, Sender::Http2 { .. })
    }

    /// Sends a request, and returns the header section of its response. The error has the request if it was not written.
    pub(super) async fn send(
        &mut self,
        request: Request<RequestBody>,
    ) -> Result<Response<Incoming>, TrySendError<Request<RequestBody>>> {
        match &mut self.sender {
            Sender::Http1(sender) => sender.try_send_request(request).await,
            Sender::Http2 { sender, .. } => sender.try_send_request(request).await,
        }
    }
}

/// An endpoint's connection while its response is read. Dropping it closes an HTTP/1.1 connection: what is left of the
/// response would be taken for the next one.
pub(super) struct Lease {
    // Counts the request until the response has ended.
    _outstanding: Outstanding,
    pool: Rc<Pool>,
    connected: Connected,
}

impl Lease {
    pub(super) fn new(outstanding: Outstanding, pool: &Rc<Pool>, connected: Connected) -> Self {
        Self {
            _outstanding: outstanding,
            pool: Rc::clone(pool),
            connected,
        }
    }

    /// Gives the connection back: the response has come whole.
    pub(super) fn give_back(self) {
        if let Sender::Http1(sender) = self.connected.sender {
            self.pool.put(self.connected.endpoint, sender);
        }
    }
}

/// Makes a request one that an endpoint of this protocol understands.
pub(super) fn for_protocol(
    request: Request<RequestBody>,
    protocol: BackendProtocol,
) -> Result<Request<RequestBody>, Cause> {
    let (mut parts, body) = request.into_parts();
    parts.extensions.clear();
    let mut uri = Parts::default();
    match protocol {
        BackendProtocol::Http1 => {
            parts.version = Version::HTTP_11;
            if parts.uri.authority().is_none() {
                return Ok(Request::from_parts(parts, body));
            }
        }
        BackendProtocol::H2c => {
            parts.version = Version::HTTP_2;
            parts.headers.remove(CONNECTION);
            parts.headers.remove(UPGRADE);
            let host = parts.headers.remove(HOST).filter(|host| !host.is_empty());
            let host = host.ok_or(Cause::HostMissing)?;
            let authority = Authority::try_from(host.as_bytes());
            uri.authority = Some(authority.map_err(|_| Cause::HostMalformed)?);
            uri.scheme = Some(Scheme::HTTP);
        }
    }
    uri.path_and_query = parts.uri.path_and_query().cloned();
    parts.uri = Uri::from_parts(uri).map_err(|_| Cause::HostMalformed)?;
    Ok(Request::from_parts(parts, body))
}

/// Returns whether the endpoint says that it has not looked at the request.
///
/// RFC 9113, section 8.7: requests that were refused with REFUSED_STREAM, or above the last stream of a GOAWAY, "have not
/// been processed" and may be retried whatever their method is.
pub(super) fn is_unprocessed(error: &hyper::Error) -> bool {
    let cause = error
        .source()
        .and_then(|source| source.downcast_ref::<h2::Error>());
    cause.is_some_and(|error| {
        error.reason() == Some(h2::Reason::REFUSED_STREAM)
            || (error.is_go_away()
                && error.is_remote()
                && error.reason() == Some(h2::Reason::NO_ERROR))
    })
}

/// Runs a connection until it ends. What goes wrong shows in the requests on it.
fn run<F, T>(connection: F, place: Place)
where
    F: Future<Output = hyper::Result<T>> + 'static,
{
    let running = connection.map(move |ended| {
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection to an endpoint has ended");
        }
        drop(place);
    });
    drop(tokio::task::spawn_local(running));
}
