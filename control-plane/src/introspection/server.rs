//! The gRPC server of introspection, with health and reflection beside it.
//!
//! It speaks in clear and knows no users: it belongs on a loopback address.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::Stream;
use futures_util::stream::unfold;
use sluice_proto::wire::introspection_server::{IntrospectionServer as Generated, SERVICE_NAME};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use tonic::transport::server::Router;
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::{HealthReporter, HealthService};

use crate::connection::{Client, Connection};
use crate::introspection::service::Service;
use crate::leadership::Leadership;
use crate::publication::Publications;
use crate::stream::Nodes;

/// What introspection's server needs.
#[derive(Debug)]
pub struct IntrospectionServer {
    /// Where people ask.
    pub listener: TcpListener,
    /// What data planes should hold.
    pub publications: Publications,
    /// How far they are.
    pub nodes: watch::Receiver<Nodes>,
    /// Whether the nodes are here.
    pub leadership: watch::Receiver<Leadership>,
}

/// The server cannot go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IntrospectionError {
    /// The program's own fault: its descriptors do not decode.
    #[error("gRPC reflection cannot be set up")]
    Reflection(#[source] tonic_reflection::server::Error),
    /// It ended by itself.
    #[error("the introspection server ended")]
    Serve(#[source] tonic::transport::Error),
}

impl IntrospectionServer {
    /// Serves until `shutdown`; then waits a moment for connections to close. Dropping the future closes them at once.
    ///
    /// # Errors
    ///
    /// If the server cannot start, or ends by itself.
    pub async fn serve(self, shutdown: CancellationToken) -> Result<(), IntrospectionError> {
        let cut = CancellationToken::new();
        let _cut_if_dropped = cut.clone().drop_guard();
        let health = HealthReporter::new();
        for service in SERVED_LATER {
            health
                .set_service_status(service, ServingStatus::NotServing)
                .await;
        }
        let service = Service {
            publications: self.publications.clone(),
            nodes: self.nodes,
            leadership: self.leadership,
        };
        let serving = router(service, health.clone())?.serve_with_incoming_shutdown(
            connections(self.listener, cut.clone()),
            shutdown.clone().cancelled_owned(),
        );
        // Whoever watches the health would keep the connection.
        let out_of_time = async {
            shutdown.cancelled().await;
            tokio::time::sleep(CLOSE_GRACE).await;
        };
        tokio::select! {
            served = serving => served.map_err(IntrospectionError::Serve),
            never = report_health(self.publications, health) => match never {},
            () = out_of_time => Ok(()),
        }
    }
}

fn router(service: Service, health: HealthReporter) -> Result<Router, IntrospectionError> {
    // What other servers serve is described, but not here.
    let reflection = || {
        let files = [
            sluice_proto::FILE_DESCRIPTOR_SET,
            tonic_health::pb::FILE_DESCRIPTOR_SET,
            tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
            tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
        ];
        let mut builder =
            tonic_reflection::server::Builder::configure().include_reflection_service(false);
        for file in files {
            builder = builder.register_encoded_file_descriptor_set(file);
        }
        for name in REFLECTED {
            builder = builder.with_service_name(name);
        }
        builder
    };
    Ok(Server::builder()
        .http2_max_header_list_size(MOST_HEADER_BYTES)
        .max_concurrent_streams(MOST_STREAMS)
        .add_service(Generated::new(service))
        .add_service(HealthServer::new(HealthService::from_health_reporter(
            health,
        )))
        .add_service(
            reflection()
                .build_v1()
                .map_err(IntrospectionError::Reflection)?,
        )
        .add_service(
            reflection()
                .build_v1alpha()
                .map_err(IntrospectionError::Reflection)?,
        ))
}

/// Reports that it serves once there is something to ask about.
async fn report_health(mut publications: Publications, health: HealthReporter) -> Infallible {
    if publications.wait_for(Option::is_some).await.is_ok() {
        for service in SERVED_LATER {
            health
                .set_service_status(service, ServingStatus::Serving)
                .await;
        }
    }
    std::future::pending().await
}

fn connections(
    listener: TcpListener,
    cut: CancellationToken,
) -> impl Stream<Item = io::Result<Connection<TcpStream>>> {
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    unfold((listener, places, cut), async |(listener, places, cut)| {
        // Beyond the limit, connections wait to be accepted.
        let place = Arc::clone(&places).acquire_owned().await.ok()?;
        let (stream, peer) = loop {
            match listener.accept().await {
                Ok(accepted) => break accepted,
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection to introspection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        };
        let client = Client {
            peer,
            certificate: None,
            cut: cut.clone(),
        };
        let connection = Connection::new(stream, Arc::new(client), place);
        Some((Ok(connection), (listener, places, cut)))
    })
}

/// The empty name stands for the whole server: "The server should use an empty string as the key for server's overall
/// health status" (grpc.health.v1).
const SERVED_LATER: [&str; 2] = ["", SERVICE_NAME];
const REFLECTED: [&str; 4] = [
    SERVICE_NAME,
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
];
const MOST_CONNECTIONS: usize = 256;
const MOST_STREAMS: u32 = 64;
const MOST_HEADER_BYTES: u32 = 16 << 10;
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
const CLOSE_GRACE: Duration = Duration::from_secs(2);
