//! The gRPC service around the sessions: limits, keep-alive, start and end.
//!
//! It decides nothing about what is sent; see [`session`](super::session).

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::Stream;
use sluice_proto::wire;
use sluice_proto::wire::snapshot_stream_server::{SnapshotStream, SnapshotStreamServer};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use tonic::{Request, Response, Status, Streaming};

use crate::connection::Peer;
use crate::identity::Identity;
use crate::leadership::Leadership;
use crate::metrics::Metrics;
use crate::publication::Publisher;
use crate::stream::accept::accept;
use crate::stream::conversation::{Conversation, Surroundings};
use crate::stream::registry::Registry;

/// What the stream's server needs.
#[derive(Debug)]
pub struct StreamServer {
    /// Where data planes connect.
    pub listener: TcpListener,
    /// Whom they must trust and who proves to be one.
    pub identity: Arc<Identity>,
    /// What they should hold.
    pub publisher: Publisher,
    /// How far they are.
    pub registry: Registry,
    /// Where what is sent is counted.
    pub metrics: Arc<Metrics>,
    /// Whether they belong here.
    pub leadership: watch::Receiver<Leadership>,
}

/// The server cannot go on.
#[derive(Debug, thiserror::Error)]
#[error("the stream's server ended")]
pub struct StreamError(#[source] tonic::transport::Error);

impl StreamServer {
    /// Serves data planes until `shutdown`; then ends their streams and waits a moment for their connections to close.
    /// Dropping the future closes them at once.
    ///
    /// # Errors
    ///
    /// If the server ends by itself.
    pub async fn serve(self, shutdown: CancellationToken) -> Result<(), StreamError> {
        let cut = CancellationToken::new();
        let _cut_if_dropped = cut.clone().drop_guard();
        let (sender, receiver) = mpsc::channel(ACCEPTED_AHEAD);
        let accepting = accept(self.listener, self.identity, sender, cut.clone());
        let service = SnapshotStreamServer::new(Sessions(Surroundings {
            publisher: self.publisher,
            registry: self.registry,
            metrics: self.metrics,
            leadership: self.leadership,
            shutdown: shutdown.clone(),
        }))
        .max_decoding_message_size(MOST_MESSAGE_BYTES);
        let serving = Server::builder()
            .http2_keepalive_interval(Some(KEEP_ALIVE))
            .http2_keepalive_timeout(Some(KEEP_ALIVE))
            .http2_max_header_list_size(MOST_HEADER_BYTES)
            .max_concurrent_streams(MOST_STREAMS)
            .add_service(service)
            .serve_with_incoming_shutdown(
                ReceiverStream::new(receiver),
                shutdown.clone().cancelled_owned(),
            );
        // A data plane that does not read would keep its connection: after the grace period it is cut.
        let out_of_time = async {
            shutdown.cancelled().await;
            tokio::time::sleep(CLOSE_GRACE).await;
            cut.cancel();
            tokio::time::sleep(CLOSE_GRACE).await;
        };
        tokio::select! {
            served = async { tokio::join!(accepting, serving).1 } => served.map_err(StreamError),
            () = out_of_time => Ok(()),
        }
    }
}

struct Sessions(Surroundings);

#[tonic::async_trait]
impl SnapshotStream for Sessions {
    type SyncStream =
        Pin<Box<dyn Stream<Item = Result<wire::ControlPlaneMessage, Status>> + Send + 'static>>;

    async fn sync(
        &self,
        request: Request<Streaming<wire::DataPlaneMessage>>,
    ) -> Result<Response<Self::SyncStream>, Status> {
        let peer = request.extensions().get::<Peer>().copied();
        let peer = peer.ok_or_else(|| Status::internal("the connection has no peer address"))?;
        let conversation = Conversation::new(request.into_inner(), peer.0, self.0.clone());
        Ok(Response::new(Box::pin(conversation.into_messages())))
    }
}

/// Holdings name every resource, some 100 bytes each: enough for half a million.
const MOST_MESSAGE_BYTES: usize = 64 << 20;
const MOST_HEADER_BYTES: u32 = 16 << 10;
/// A data plane has one.
const MOST_STREAMS: u32 = 8;
const ACCEPTED_AHEAD: usize = 16;
const KEEP_ALIVE: Duration = Duration::from_secs(10);
const CLOSE_GRACE: Duration = Duration::from_secs(2);
