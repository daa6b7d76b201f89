//! One client opens thousands of connections to a node, asks for much on each, and reads nothing of it. The node's data plane
//! lives on, and serves everybody else; if its memory is short, it sends those away.

use std::net::SocketAddr;

use anyhow::{Context as _, ensure};
use sluice_integration_tests::metrics::sample;
use sluice_integration_tests::wait;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

use crate::run::LIMIT;
use crate::stage::Stage;
use crate::table::Row;
use crate::traffic::{Traffic, http};

pub(crate) fn run(stage: &mut Stage, row: &mut Row) -> anyhow::Result<()> {
    stage.outside(async |stage| {
        // So that fewer clients are needed: they share one kernel with everybody, and it has so much memory for sockets.
        stage.limit_memory("192Mi").await?;
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
        let sent_away = wait::until("some to be sent away", LIMIT, async || {
            let metric = "sluice_connections_ended_for_memory_total";
            let sent_away = stage.metric_of("node-3", metric)?;
            ensure!(sent_away > 0, "memory was never short");
            anyhow::Ok(sent_away)
        })
        .await?;
        row.note(format_args!("{sent_away} sent away at first"));
        // For a moment others were told to come again. Now they are served, though some of those are still there.
        wait::until("node-3 to serve the others", LIMIT, async || {
            let mut moment = Row::default();
            let there = Traffic::requests_through(stage, &[2]);
            there.wait_for_more(300).await?;
            there.stop(&mut moment).await;
            ensure!(moment.failed == 0, "{} failed", moment.failed);
            anyhow::Ok(())
        })
        .await?;
        let there = Traffic::requests_through(stage, &[2]);
        there.wait_for_more(3000).await?;
        there.stop(row).await;
        drop(attackers);
        elsewhere.stop(row).await;
        let ended = stage.restarts("sluice-data-plane")? - before;
        if ended > 0 {
            row.broken(format_args!("{ended} data planes ended"));
        }
        stage.limit_memory("1Gi").await
    })
}

async fn ask_for_much(address: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    // What it does not take is to be the data plane's, not its own.
    socket.set_recv_buffer_size(4096)?;
    let mut stream = socket.connect(address).await?;
    let request = "GET /?bytes=20000000 HTTP/1.1\r\nHost: api.myhoneydue.com\r\n\r\n";
    stream.write_all(request.as_bytes()).await?;
    Ok(stream)
}

impl Stage {
    async fn limit_memory(&self, limit: &str) -> anyhow::Result<()> {
        self.kubectl(&format!(
            "set resources daemonset/sluice-data-plane --namespace=sluice-data-plane --limits=memory={limit}"
        ))?;
        self.wait_until_rolled_out("sluice-data-plane", "daemonset/sluice-data-plane")
            .await
    }

    /// A metric of the data plane of this node.
    fn metric_of(&self, node: &str, name: &str) -> anyhow::Result<usize> {
        let pods = self.pods("sluice-data-plane")?;
        let pod = pods.iter().find(|pod| pod.node == node && !pod.leaving);
        let pod = pod.with_context(|| format!("there is none on {node}: {pods:?}"))?;
        let metrics = self.kubectl(&format!(
            "exec {} --namespace=sluice-data-plane -- /sluice-data-plane metrics",
            pod.name
        ))?;
        let value = sample(&metrics, name).with_context(|| format!("there is no {name}"))?;
        Ok(value as usize)
    }
}

/// More than fit into the memory, if each is given what it does not take.
const ATTACKERS: usize = 2000;
