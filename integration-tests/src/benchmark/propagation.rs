//! One change: an Ingress is created, and every node is asked for its host until it serves it.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use futures_util::future::try_join_all;
use tokio::time::{Instant, timeout};

use super::asking::{Asking, LIMIT, pause};
use super::crowd::Crowd;

/// How long one change took.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    /// From the request to create it to the first 200 of the last node.
    pub(super) live: Duration,
    /// How many answers were neither 404 before nor 200 after.
    pub(super) wrong: usize,
}

/// Creates an Ingress, waits until it is served by all these nodes, and deletes it.
pub(super) async fn one(
    crowd: &Crowd,
    nodes: &[SocketAddr],
    number: usize,
) -> anyhow::Result<Sample> {
    let (name, host) = (
        format!("sample-{number}"),
        format!("sample-{number}-{}.example", std::process::id()),
    );
    let mut watches = Vec::new();
    for &node in nodes {
        watches.push(Watch::start(node, &host).await?);
    }
    let created = Instant::now();
    crowd.create(&name, &host).await?;
    let seen = timeout(
        LIMIT,
        try_join_all(watches.iter_mut().map(Watch::until_served)),
    )
    .await;
    let seen = seen.with_context(|| format!("{host} is not served within {LIMIT:?}"))??;
    let last = seen.into_iter().max().context("there are no nodes")?;
    let live = last.saturating_duration_since(created);
    crowd.delete(&name).await?;
    let mut wrong = 0;
    for watch in &mut watches {
        wrong += watch.wrong + watch.until_gone().await?;
    }
    Ok(Sample { live, wrong })
}

/// A client of one node, and how many answers were wrong.
struct Watch {
    asking: Asking,
    wrong: usize,
}

impl Watch {
    async fn start(node: SocketAddr, host: &str) -> anyhow::Result<Self> {
        let mut watch = Self {
            asking: Asking::start(node, host).await?,
            wrong: 0,
        };
        let status = watch.ask().await?;
        ensure!(
            status == 404,
            "{host} is answered {status} before it is created"
        );
        Ok(watch)
    }

    /// Asks until the answer is 200, and returns when that came.
    async fn until_served(&mut self) -> anyhow::Result<Instant> {
        loop {
            match self.ask().await? {
                200 => return Ok(Instant::now()),
                404 => {}
                _ => self.wrong += 1,
            }
            pause().await;
        }
    }

    /// Asks until the answer is 404, and returns how many answers were neither.
    async fn until_gone(&mut self) -> anyhow::Result<usize> {
        let mut wrong = 0;
        loop {
            match self.ask().await? {
                404 => return Ok(wrong),
                200 => {}
                _ => wrong += 1,
            }
            pause().await;
        }
    }

    async fn ask(&mut self) -> anyhow::Result<u16> {
        Ok(self.asking.ask().await?.status.as_u16())
    }
}
