//! What requests and connections cost a proxy: the CPU time that it uses for many of them, divided; and the memory that
//! connections take while they do nothing.

use std::time::Duration;

use anyhow::ensure;
use futures_util::future::try_join_all;

use super::usage::Usage;
use crate::client::{Answer, Connection, Destination, fetch, get};

/// What one of each costs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Costs {
    /// Over a connection that is kept.
    pub(super) request: Duration,
    /// The same, guarded by Middlewares.
    pub(super) guarded_request: Duration,
    /// With its handshake and one request.
    pub(super) tls_connection: Duration,
    pub(super) idle_bytes: u64,
    pub(super) idle_tls_bytes: u64,
}

/// Measures a process that answers all of these.
pub(super) async fn measure(
    process: u32,
    [plain, guarded, tls]: &[Destination; 3],
) -> anyhow::Result<Costs> {
    // What is made once and kept is no cost of a request.
    requests(plain, WARMING).await?;
    requests(guarded, WARMING).await?;
    tls_connections(tls, WARMING / 10).await?;
    let before = Usage::of(process)?.cpu;
    requests(plain, REQUESTS).await?;
    let of_plain = Usage::of(process)?.cpu;
    requests(guarded, REQUESTS).await?;
    let of_guarded = Usage::of(process)?.cpu;
    tls_connections(tls, TLS_CONNECTIONS).await?;
    let of_tls = Usage::of(process)?.cpu;
    // Kept until the end: else the second ones would take the memory of the first.
    let (_idle, idle_bytes) = idle(process, plain).await?;
    let (_idle_tls, idle_tls_bytes) = idle(process, tls).await?;
    Ok(Costs {
        request: of_plain.saturating_sub(before) / REQUESTS,
        guarded_request: of_guarded.saturating_sub(of_plain) / REQUESTS,
        tls_connection: of_tls.saturating_sub(of_guarded) / TLS_CONNECTIONS,
        idle_bytes,
        idle_tls_bytes,
    })
}

async fn requests(destination: &Destination, count: u32) -> anyhow::Result<()> {
    at_once(async || {
        let mut connection = Connection::open(destination).await?;
        for _ in 0..count / AT_ONCE {
            served(&connection.send(get(destination, false)?).await?)?;
        }
        Ok(())
    })
    .await
}

async fn tls_connections(destination: &Destination, count: u32) -> anyhow::Result<()> {
    at_once(async || {
        for _ in 0..count / AT_ONCE {
            served(&fetch(destination).await?)?;
        }
        Ok(())
    })
    .await
}

/// Opens connections, and returns them and the memory that one takes after its first request.
async fn idle(process: u32, destination: &Destination) -> anyhow::Result<(Vec<Connection>, u64)> {
    let before = Usage::of(process)?.resident_bytes;
    let mut connections = Vec::new();
    for _ in 0..IDLE_CONNECTIONS {
        let mut connection = Connection::open(destination).await?;
        served(&connection.send(get(destination, false)?).await?)?;
        connections.push(connection);
    }
    let after = Usage::of(process)?.resident_bytes;
    let bytes = after.saturating_sub(before) / IDLE_CONNECTIONS;
    Ok((connections, bytes))
}

fn served(answer: &Answer) -> anyhow::Result<()> {
    ensure!(
        answer.status == 200,
        "a request was answered {}",
        answer.status
    );
    Ok(())
}

async fn at_once(work: impl AsyncFn() -> anyhow::Result<()>) -> anyhow::Result<()> {
    try_join_all((0..AT_ONCE).map(|_| work())).await?;
    Ok(())
}

const AT_ONCE: u32 = 8;
const WARMING: u32 = 4000;
const REQUESTS: u32 = 40_000;
const TLS_CONNECTIONS: u32 = 2000;
const IDLE_CONNECTIONS: u64 = 2000;
