//! A control plane's end of the stream: real gRPC over mutual TLS. The test says what it says.

use std::net::SocketAddr;

use sluice_proto::wire::control_plane_message::Message as Say;
use sluice_proto::wire::snapshot_stream_server::{SnapshotStream, SnapshotStreamServer};
use sluice_proto::{Resource, Snapshot, wire};
use tokio::net::TcpListener;
use tokio::runtime::{self, Runtime};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Server, ServerTlsConfig};
use tonic::{Request, Response, Status, Streaming};

use super::{eventually, within};

pub(crate) use sluice_proto::wire::data_plane_message::Message as Said;

/// A control plane. It has a runtime of its own, so that stopping it ends all of its connections at once, as a killed
/// process does.
pub(crate) struct ControlPlane {
    runtime: Option<Runtime>,
    sessions: mpsc::Receiver<Raw>,
}

/// One stream of a data plane, from its Hello on.
pub(crate) struct Session {
    pub(crate) hello: wire::Hello,
    raw: Raw,
}

struct Raw {
    said: Streaming<wire::DataPlaneMessage>,
    say: mpsc::Sender<Result<wire::ControlPlaneMessage, Status>>,
}

impl ControlPlane {
    pub(crate) async fn start(address: SocketAddr, tls: ServerTlsConfig) -> Self {
        // As both programs do.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let runtime = runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let (connected, sessions) = mpsc::channel(16);
        let (bound, is_bound) = tokio::sync::oneshot::channel();
        runtime.spawn(async move {
            let listener = TcpListener::bind(address).await.unwrap();
            bound.send(()).unwrap();
            Server::builder()
                .tls_config(tls)
                .unwrap()
                .add_service(SnapshotStreamServer::new(Service { connected }))
                .serve_with_incoming(TcpIncoming::from(listener))
                .await
                .unwrap();
        });
        within("the control plane's listener", is_bound)
            .await
            .unwrap();
        Self {
            runtime: Some(runtime),
            sessions,
        }
    }

    /// Returns the next stream, once its data plane has said Hello.
    pub(crate) async fn session(&mut self) -> Session {
        let raw = within("a stream", self.sessions.recv()).await.unwrap();
        let mut session = Session {
            hello: wire::Hello::default(),
            raw,
        };
        match session.next().await {
            Said::Hello(hello) => session.hello = hello,
            other => panic!("it says Hello first, not {other:?}"),
        }
        session
    }

    /// Takes the next stream, gives its data plane all of these resources, and returns it when they are in force.
    pub(crate) async fn serve(&mut self, generation: u64, resources: &[Resource]) -> Session {
        let mut session = self.session().await;
        let held = Snapshot::default();
        session
            .deliver(generation, &held, &Snapshot::of(resources))
            .await;
        session
    }

    /// Returns whether no data plane has opened a stream.
    pub(crate) fn is_untouched(&mut self) -> bool {
        self.sessions.try_recv().is_err()
    }

    /// Ends it as a kill does.
    pub(crate) async fn stop(mut self) {
        let runtime = self.runtime.take().unwrap();
        let stopping = tokio::task::spawn_blocking(|| drop(runtime));
        within("the control plane's end", stopping).await.unwrap();
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Session {
    /// Says this.
    pub(crate) async fn say(&self, message: Say) {
        let message = Some(message);
        let said = self.raw.say.send(Ok(wire::ControlPlaneMessage { message }));
        within("room for a message", said).await.unwrap();
    }

    /// Says what leads from the one to the other, in chunks with bodies of so many bytes.
    pub(crate) fn deltas(
        generation: u64,
        held: &Snapshot,
        target: &Snapshot,
        chunk_bytes: usize,
    ) -> Vec<wire::Delta> {
        target
            .changes_since(held)
            .into_wire(generation, chunk_bytes)
    }

    /// Says what leads from the one to the other, and waits until it is acknowledged.
    pub(crate) async fn deliver(&mut self, generation: u64, held: &Snapshot, target: &Snapshot) {
        for delta in Self::deltas(generation, held, target, usize::MAX) {
            self.say(Say::Delta(delta)).await;
        }
        assert_eq!(self.answer().await, Said::Ack(wire::Ack { generation }));
    }

    /// Returns what it holds, by asking it.
    pub(crate) async fn holdings(&mut self) -> wire::Holdings {
        let request = wire::HoldingsRequest {};
        self.say(Say::HoldingsRequest(request)).await;
        match self.answer().await {
            Said::Holdings(holdings) => holdings,
            other => panic!("it says what it holds, not {other:?}"),
        }
    }

    /// Returns the next that it says but for reports.
    pub(crate) async fn answer(&mut self) -> Said {
        loop {
            match self.next().await {
                Said::Report(_) => {}
                other => return other,
            }
        }
    }

    /// Waits for a report that is so.
    pub(crate) async fn report(&mut self, what: &str, is: impl Fn(&wire::Report) -> bool) {
        let reported = async {
            loop {
                if let Said::Report(report) = self.next().await
                    && is(&report)
                {
                    return;
                }
            }
        };
        within(what, reported).await;
    }

    /// Waits until the data plane has ended the stream.
    pub(crate) async fn ended(mut self) {
        eventually("the end of the stream", async || {
            !matches!(
                within("the stream", self.raw.said.message()).await,
                Ok(Some(_))
            )
        })
        .await;
    }

    async fn next(&mut self) -> Said {
        let message = within("a message", self.raw.said.message()).await;
        message.unwrap().unwrap().message.unwrap()
    }
}

struct Service {
    connected: mpsc::Sender<Raw>,
}

#[tonic::async_trait]
impl SnapshotStream for Service {
    type SyncStream = ReceiverStream<Result<wire::ControlPlaneMessage, Status>>;

    async fn sync(
        &self,
        request: Request<Streaming<wire::DataPlaneMessage>>,
    ) -> Result<Response<Self::SyncStream>, Status> {
        let (say, says) = mpsc::channel(64);
        let said = request.into_inner();
        let raw = Raw { said, say };
        let taken = self.connected.send(raw).await;
        taken.map_err(|_| Status::unavailable("the test has ended"))?;
        Ok(Response::new(ReceiverStream::new(says)))
    }
}
