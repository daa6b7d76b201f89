//! A data plane as the stream sees it: a real gRPC client over mutual TLS that the test leads by the hand.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use sluice_control_plane::identity::SERVER_NAME;
use sluice_proto::wire::control_plane_message::Message as Received;
use sluice_proto::wire::data_plane_message::Message as Said;
use sluice_proto::wire::snapshot_stream_client::SnapshotStreamClient;
use sluice_proto::{Difference, Refusal, Snapshot, wire};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Code, Status, Streaming};

use crate::running::Running;
use crate::wait::soon;

/// A connected data plane.
pub(crate) struct DataPlane {
    /// What it holds.
    pub(crate) held: Snapshot,
    /// The generation that it applied last.
    pub(crate) generation: u64,
    /// It refuses resources whose names contain one of these.
    pub(crate) refuses: Vec<&'static str>,
    /// What it was sent and took, by name, since it was connected.
    pub(crate) taken: Vec<String>,
    coming: Difference,
    says: mpsc::Sender<wire::DataPlaneMessage>,
    hears: Streaming<wire::ControlPlaneMessage>,
}

impl DataPlane {
    /// Connects one that holds nothing.
    pub(crate) async fn connect(running: &Running, node: &str) -> Self {
        Self::connect_holding(running, node, Snapshot::default(), 0).await
    }

    /// Connects one that holds something.
    pub(crate) async fn connect_holding(
        running: &Running,
        node: &str,
        held: Snapshot,
        generation: u64,
    ) -> Self {
        let mut data_plane = Self::silent(running).await;
        data_plane.held = held;
        data_plane.generation = generation;
        data_plane.hello(node, "1").await;
        data_plane
    }

    /// Connects one that has not said who it is.
    pub(crate) async fn silent(running: &Running) -> Self {
        let channel = soon("the stream accepts", connect(running)).await.unwrap();
        Self::on(channel).await
    }

    /// Opens a stream on this channel, without saying who it is.
    pub(crate) async fn on(channel: Channel) -> Self {
        let (says, said) = mpsc::channel(16);
        let mut client = SnapshotStreamClient::new(channel).max_decoding_message_size(64 << 20);
        let hears = client.sync(ReceiverStream::new(said)).await.unwrap();
        Self {
            held: Snapshot::default(),
            generation: 0,
            refuses: Vec::new(),
            taken: Vec::new(),
            coming: Difference::default(),
            says,
            hears: hears.into_inner(),
        }
    }

    pub(crate) async fn hello(&self, node: &str, instance: &str) {
        let hello = wire::Hello {
            node: node.to_owned(),
            instance: instance.to_owned(),
            build_version: "test".to_owned(),
            digest: self.held.digest().as_bytes().to_vec().into(),
            generation: self.generation,
            leader_unreachable: false,
        };
        self.say(Said::Hello(hello)).await;
    }

    pub(crate) async fn report(&self, state: wire::report::State, problems: Vec<wire::Problem>) {
        let state = state.into();
        self.say(Said::Report(wire::Report { state, problems }))
            .await;
    }

    pub(crate) async fn say(&self, message: Said) {
        let message = Some(message);
        self.says
            .send(wire::DataPlaneMessage { message })
            .await
            .unwrap();
    }

    /// Returns what it hears next.
    pub(crate) async fn hear(&mut self) -> Received {
        let heard = soon("the control plane speaks", self.hears.message()).await;
        heard.unwrap().unwrap().message.unwrap()
    }

    /// Returns with what the stream ends.
    pub(crate) async fn ends(&mut self) -> Status {
        let end = async {
            loop {
                match self.hears.message().await {
                    Ok(Some(_)) => {}
                    Ok(None) => return Status::new(Code::Ok, ""),
                    Err(status) => return status,
                }
            }
        };
        soon("the stream ends", end).await
    }

    /// Hears and answers until it has applied this generation.
    pub(crate) async fn sync_to(&mut self, generation: u64) {
        while self.generation < generation {
            self.answer().await;
        }
        assert_eq!(self.generation, generation);
    }

    /// Hears and answers that what it holds is this generation.
    pub(crate) async fn confirmed(&mut self, generation: u64) {
        let Received::Delta(delta) = self.hear().await else {
            panic!("it was asked what it holds");
        };
        let empty = wire::Delta {
            generation,
            ..wire::Delta::default()
        };
        assert_eq!(delta, empty);
        self.take(delta).await;
    }

    /// Hears one message and answers it.
    pub(crate) async fn answer(&mut self) {
        match self.hear().await {
            Received::HoldingsRequest(_) => {
                let holdings = wire::Holdings::from(&self.held.holdings());
                self.say(Said::Holdings(holdings)).await;
            }
            Received::Delta(delta) => self.take(delta).await,
            Received::Redirect(redirect) => panic!("it is sent away: {redirect:?}"),
        }
    }

    async fn take(&mut self, delta: wire::Delta) {
        let (generation, more) = (delta.generation, delta.more);
        assert!(generation >= self.generation, "never backwards");
        assert_eq!(self.coming.extend_from_wire(delta), []);
        if more {
            return;
        }
        let mut coming = std::mem::take(&mut self.coming);
        let mut refused = Vec::new();
        coming.upserted.retain(|(key, entry)| {
            let refuses = self.refuses.iter().any(|name| key.name.contains(name));
            if refuses {
                let reason = "this test refuses it".to_owned();
                refused.push(Refusal::new(key, entry.version(), reason).into());
            } else {
                self.taken.push(key.to_string());
            }
            !refuses
        });
        self.held.apply(coming);
        self.generation = generation;
        let answer = if refused.is_empty() {
            Said::Ack(wire::Ack { generation })
        } else {
            Said::Nack(wire::Nack {
                generation,
                refused,
            })
        };
        self.say(answer).await;
    }
}

/// Connects as the data planes of this control plane do.
pub(crate) async fn connect(running: &Running) -> Result<Channel, tonic::transport::Error> {
    endpoint(running.stream, &running.data_plane_folder())
        .connect()
        .await
}

/// Returns how a data plane with this folder connects.
pub(crate) fn endpoint(address: SocketAddr, folder: &Path) -> Endpoint {
    let read = |name| fs::read(folder.join(name)).unwrap();
    let tls = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(read("ca.crt")))
        .identity(Identity::from_pem(read("tls.crt"), read("tls.key")))
        .domain_name(SERVER_NAME);
    let endpoint = Channel::from_shared(format!("https://{address}")).unwrap();
    endpoint.tls_config(tls).unwrap()
}
