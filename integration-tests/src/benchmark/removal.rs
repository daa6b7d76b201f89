//! An endpoint is taken out of its EndpointSlice, and every node is asked all the time: until when does one still send
//! requests there?

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use futures_util::future::try_join_all;
use tokio::time::{Instant, timeout};

use super::asking::{Asking, LIMIT, pause};
use super::crowd::Crowd;

/// Takes one of two endpoints away and gives it back; returns the time from the request to take it away to the start of
/// the last request that it answered.
pub(super) async fn one(crowd: &Crowd, nodes: &[SocketAddr]) -> anyhow::Result<Duration> {
    let clients = nodes.iter().map(|&node| Client::start(node));
    let mut clients = try_join_all(clients).await?;
    within(try_join_all(clients.iter_mut().map(Client::until_there))).await?;
    let removed = Instant::now();
    let (last, taken) = tokio::join!(
        within(try_join_all(clients.iter_mut().map(Client::until_gone))),
        crowd.pair_up(false)
    );
    taken?;
    let last = last?.into_iter().flatten().max().unwrap_or(removed);
    crowd.pair_up(true).await?;
    within(try_join_all(clients.iter_mut().map(Client::until_there))).await?;
    Ok(last.saturating_duration_since(removed))
}

/// Asks one node for the pair's host.
struct Client(Asking);

impl Client {
    async fn start(node: SocketAddr) -> anyhow::Result<Self> {
        Ok(Self(Asking::start(node, Crowd::PAIRS_HOST).await?))
    }

    /// Asks until the first of the two has answered.
    async fn until_there(&mut self) -> anyhow::Result<()> {
        while !self.is_first_asked().await? {
            pause().await;
        }
        Ok(())
    }

    /// Asks until it answers no more, and returns when the last request began that it answered, if it answered any.
    async fn until_gone(&mut self) -> anyhow::Result<Option<Instant>> {
        let mut last = None;
        let mut without = 0;
        // While both are there, each is asked about every other time.
        while without < IN_A_ROW {
            let asked = Instant::now();
            if self.is_first_asked().await? {
                last = Some(asked);
                without = 0;
            } else {
                without += 1;
            }
            pause().await;
        }
        Ok(last)
    }

    async fn is_first_asked(&mut self) -> anyhow::Result<bool> {
        let answer = self.0.ask().await?;
        ensure!(answer.status == 200, "{}", answer.status);
        Ok(answer.backend() == Some("pair-1"))
    }
}

async fn within<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let worked = timeout(LIMIT, work).await;
    worked.with_context(|| format!("the endpoints are not as written within {LIMIT:?}"))?
}

const IN_A_ROW: usize = 64;
