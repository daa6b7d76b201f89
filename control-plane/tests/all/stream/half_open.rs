//! A connection that is dead without either side having been told is noticed.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::data_plane::{DataPlane, endpoint};
use crate::objects::hosts;
use crate::running::Running;

#[tokio::test]
async fn a_dead_connection_is_noticed() {
    let running = Running::with(&hosts(&["a.example"])).await;
    let network = Network::to(running.stream).await;
    let endpoint = endpoint(network.address, &running.data_plane_folder());
    let mut data_plane = DataPlane::on(endpoint.connect().await.unwrap()).await;
    data_plane.hello("node-a", "1").await;
    data_plane.sync_to(1).await;
    running.live(1, 1).await;
    network.is_up.send_replace(false);
    running.live(0, 1).await;
}

/// A network between a data plane and the control plane, which can stop to carry anything.
struct Network {
    address: SocketAddr,
    is_up: watch::Sender<bool>,
    _tasks: JoinSet<()>,
}

impl Network {
    async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (is_up, carries) = watch::channel(true);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let (client, _) = listener.accept().await.unwrap();
            let server = TcpStream::connect(server).await.unwrap();
            let (client, server) = (client.into_split(), server.into_split());
            tokio::join!(
                carry(client.0, server.1, carries.clone()),
                carry(server.0, client.1, carries),
            );
        });
        Self {
            address,
            is_up,
            _tasks: tasks,
        }
    }
}

async fn carry(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut carries: watch::Receiver<bool>,
) {
    let mut buffer = vec![0; 16 << 10];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        // While it is down, what was read is held back, and nothing is closed.
        if carries.wait_for(|carries| *carries).await.is_err() {
            return;
        }
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}
