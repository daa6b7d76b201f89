//! A control plane that vanishes without a word, as behind a broken network: no FIN, no RST.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use super::harness::*;

#[tokio::test]
async fn a_half_open_connection_is_noticed_and_replaced() {
    let site = Site::new();
    let web = Backend::saying("web").await;
    let behind = SocketAddr::new(site.stream().ip(), 9443);
    let mut control_plane = ControlPlane::start(behind, site.authority.server()).await;
    let network = Network::start(site.stream(), behind).await;
    let _data_plane = site.data_plane();
    let first = control_plane.serve(7, &shop(web.address)).await;
    assert_eq!(network.connections(), 1);

    network.lose_what_is_open();
    // It comes back by itself, and goes on serving all the while.
    assert_eq!(get(site.http(), "shop.example", "/").await.body, "web");
    let second = control_plane.session().await;
    assert_eq!(second.hello.instance, first.hello.instance);
    assert_eq!(second.hello.generation, 7);
    assert_eq!(network.connections(), 2);
    assert_eq!(get(site.http(), "shop.example", "/").await.body, "web");
}

/// What lies between the two planes.
struct Network {
    lost: watch::Sender<usize>,
    connections: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Network {
    async fn start(before: SocketAddr, behind: SocketAddr) -> Self {
        let listener = TcpListener::bind(before).await.unwrap();
        let lost = watch::Sender::new(0);
        let connections = Arc::new(AtomicUsize::new(0));
        let (losses, counted) = (lost.subscribe(), Arc::clone(&connections));
        let task = tokio::spawn(async move {
            let mut carried = JoinSet::new();
            loop {
                let (mut near, _) = listener.accept().await.unwrap();
                let number = counted.fetch_add(1, Ordering::SeqCst) + 1;
                let mut losses = losses.clone();
                carried.spawn(async move {
                    let mut far = TcpStream::connect(behind).await.unwrap();
                    tokio::select! {
                        _ = copy_bidirectional(&mut near, &mut far) => return,
                        _ = losses.wait_for(|lost| *lost >= number) => {}
                    }
                    // Both ends stay open, and nothing that is sent arrives.
                    std::future::pending::<()>().await;
                });
            }
        });
        Self {
            lost,
            connections,
            task,
        }
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    fn lose_what_is_open(&self) {
        self.lost.send_replace(self.connections());
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.task.abort();
    }
}
