//! Finds the process of this node that has the sockets, and takes its snapshot.
//!
//! It does not take the sockets: that is `take_over`.

use std::io;
use std::sync::Arc;

use bytes::BytesMut;
use tokio::time::timeout;

use crate::disk_copy::{DiskCopy, Kept};
use crate::hand_over::channel::{Broken, Channel};
use crate::hand_over::greet::{Failure, greet_predecessor};
use crate::hand_over::message::{Body, Greeting};
use crate::hand_over::status::Peer;
use crate::hand_over::{Own, SILENCE, socket};

/// Whom this process has met.
pub(super) enum Met {
    /// Nobody listens at the name.
    Nobody,
    /// Another data plane of this node.
    Predecessor(Box<Link>),
}

/// The connection to the process that has the sockets.
pub(super) struct Link {
    pub(super) channel: Channel,
    pub(super) peer: Peer,
}

/// A snapshot that was handed over.
pub(crate) struct Handed {
    pub(crate) kept: Kept,
    /// Whether its endpoints may be somebody else's by now.
    pub(crate) endpoints_stale: bool,
}

/// Looks for the process that has the sockets.
pub(super) async fn meet(own: &Own, wants_snapshot: bool) -> Result<Met, Failure> {
    let stream = match socket::connect(&own.name).await {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => return Ok(Met::Nobody),
        connected => connected.map_err(Broken::Failed)?,
    };
    let mut channel = Channel::new(stream);
    let greeting = Greeting {
        wants_snapshot,
        ..own.greeting.clone()
    };
    let greeting = greet_predecessor(&mut channel, &own.secrets, &greeting).await?;
    let peer = Peer::of(greeting);
    Ok(Met::Predecessor(Box::new(Link { channel, peer })))
}

/// Receives the snapshot of the process that has the sockets; `None` if it has none.
pub(super) async fn snapshot(own: &Own, link: &mut Link) -> Result<Option<Handed>, Failure> {
    let Some((sealed, endpoints_stale)) = receive_snapshot(&mut link.channel).await? else {
        return Ok(None);
    };
    let disk_copy = Arc::clone(&own.disk_copy);
    let opened = tokio::task::spawn_blocking(move || disk_copy.unseal(sealed.into())).await;
    let kept = match opened {
        Ok(Ok(kept)) => kept,
        Ok(Err(error)) => {
            tracing::error!(%error, "the snapshot that was handed over cannot be used");
            return Ok(None);
        }
        Err(error) => {
            tracing::error!(%error, "reading the snapshot that was handed over ended early");
            return Ok(None);
        }
    };
    tracing::info!(
        generation = kept.generation,
        resources = kept.snapshot.len(),
        instance = link.peer.instance,
        "got the snapshot of the data plane that serves this node"
    );
    Ok(Some(Handed {
        kept,
        endpoints_stale,
    }))
}

async fn receive_snapshot(channel: &mut Channel) -> Result<Option<(BytesMut, bool)>, Failure> {
    let snapshot = loop {
        match timeout(SILENCE, channel.receive()).await?? {
            Body::Snapshot(snapshot) => break snapshot,
            Body::Beat(_) => {}
            _ => return Err(Failure::Order),
        }
    };
    if snapshot.bytes > DiskCopy::MAX_BYTES {
        return Err(Failure::Order);
    }
    let mut sealed = BytesMut::new();
    while (sealed.len() as u64) < snapshot.bytes {
        match timeout(SILENCE, channel.receive()).await?? {
            Body::Chunk(chunk) if !chunk.is_empty() => sealed.extend_from_slice(&chunk),
            Body::Beat(_) => {}
            _ => return Err(Failure::Order),
        }
    }
    let is_there = snapshot.bytes > 0;
    Ok(is_there.then_some((sealed, snapshot.endpoints_stale)))
}

impl Peer {
    pub(super) fn of(greeting: Greeting) -> Self {
        Self {
            instance: greeting.instance,
            build_version: greeting.build_version,
        }
    }
}
