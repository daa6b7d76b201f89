//! One client opens thousands of connections to a node, asks for much on each, and reads nothing of it. The node's data plane
//! lives on, and serves everybody else; if its memory is short, it sends those away.

use std::net::SocketAddr;

use anyhow::Context as _;
use sluice_integration_tests::metrics::sample;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

use crate::stage::Stage;
use crate::table::Row;
use crate::traffic::{Traffic, http};

pub(crate) fn run(stage: &mut Stage, row: &mut Row) -> anyhow::Result<()> {
    stage.outside(async |stage| {
        let before = stage.restarts("sluice-data-plane")?;
        // Whoever goes to another node notices nothing.
        let elsewhere = Traffic::through(stage, &[0, 1]);
        elsewhere.wait_for_more(300).await?;
        let mut attackers = JoinSet::new();
        for _ in 0..ATTACKERS {
            attackers.spawn(ask_for_much(http(2)));
        }
        let attackers = attackers.join_all().await;
        let held = attackers.iter().filter(|attacker| attacker.is_ok()).count();
        row.note(format_args!("{held} connections that read nothing"));
        // They are still there.
        let there = Traffic::requests_through(stage, &[2]);
        there.wait_for_more(3000).await?;
        there.stop(row).await;
        let sent_away = stage.sent_away_for_memory("node-3")?;
        row.note(format_args!("{sent_away} sent away"));
        drop(attackers);
        elsewhere.stop(row).await;
        let ended = stage.restarts("sluice-data-plane")? - before;
        if ended > 0 {
            row.broken(format_args!("{ended} data planes ended"));
        }
        Ok(())
    })
}

async fn ask_for_much(address: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    // What it does not take is to be the data plane's, not its own.
    socket.set_recv_buffer_size(4096)?;
    let mut stream = socket.connect(address).await?;
    let request =
        "GET /?chunks=10000000&interval_ms=0 HTTP/1.1\r\nHost: api.myhoneydue.com\r\n\r\n";
    stream.write_all(request.as_bytes()).await?;
    Ok(stream)
}

impl Stage {
    /// How many connections the data plane of this node has ended because memory was short.
    fn sent_away_for_memory(&self, node: &str) -> anyhow::Result<usize> {
        let pods = self.pods("sluice-data-plane")?;
        let pod = pods.iter().find(|pod| pod.node == node && !pod.leaving);
        let pod = pod.with_context(|| format!("there is none on {node}: {pods:?}"))?;
        let metrics = self.kubectl(&format!(
            "exec {} --namespace=sluice-data-plane -- /sluice-data-plane metrics",
            pod.name
        ))?;
        let name = "sluice_connections_ended_for_memory_total";
        let sent_away = sample(&metrics, name).context("there is no such metric")?;
        Ok(sent_away as usize)
    }
}

/// As many as one laptop opens in a second or two.
const ATTACKERS: usize = 6000;
