//! The constant load from outside the nodes: requests over new and kept-alive connections to every node and host, in clear
//! and over TLS with either version of HTTP, and WebSockets that come and go. Clients send again what they sent on a kept-alive connection that closed before any byte
//! of an answer; nothing else is forgiven.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use sluice_integration_tests::client::Destination;
use sluice_integration_tests::load::{
    Load, RunningLoad, RunningWebSockets, Target, WebSocketReport, WebSockets,
};
use sluice_integration_tests::nodes::Nodes;

use crate::stage::Stage;
use crate::table::Row;

/// The load under way.
#[derive(Debug)]
pub(crate) struct Traffic {
    requests: RunningLoad,
    web_sockets: Option<RunningWebSockets>,
}

impl Traffic {
    /// Starts it, through these nodes. Must be called outside of the nodes ([`Nodes::outside`]).
    pub(crate) fn through(stage: &Stage, nodes: &[usize]) -> Self {
        Self {
            requests: requests(stage, nodes, false),
            web_sockets: Some(web_sockets(nodes)),
        }
    }

    /// The same, of clients that go on to the next node when one refuses their connection.
    pub(crate) fn through_next_if_refused(stage: &Stage, nodes: &[usize]) -> Self {
        Self {
            requests: requests(stage, nodes, true),
            web_sockets: None,
        }
    }

    /// The same, without WebSockets.
    pub(crate) fn requests_through(stage: &Stage, nodes: &[usize]) -> Self {
        Self {
            requests: requests(stage, nodes, false),
            web_sockets: None,
        }
    }

    /// Waits until `more` further requests have been answered.
    pub(crate) async fn wait_for_more(&self, more: usize) -> anyhow::Result<()> {
        self.requests.wait_for_more(more).await
    }

    /// Waits until as many requests have been answered as are sent in that time.
    pub(crate) async fn go_on_for(&self, time: Duration) -> anyhow::Result<()> {
        let mut left = (time.as_secs_f64() * f64::from(PER_SECOND)) as usize;
        while left > 0 {
            let part = left.min(10 * PER_SECOND as usize);
            self.wait_for_more(part).await?;
            left -= part;
        }
        Ok(())
    }

    /// How many requests have been answered, or have failed.
    pub(crate) fn answered(&self) -> usize {
        self.requests.so_far().outcomes().len()
    }

    /// How many requests have failed so far.
    pub(crate) fn failed(&self) -> usize {
        self.requests.so_far().failures().count()
    }

    /// Ends it, and adds what became of it to the row: whatever failed is a broken promise.
    pub(crate) async fn stop(self, row: &mut Row) {
        let requests = self.requests.stop().await;
        let web_sockets = match self.web_sockets {
            Some(web_sockets) => web_sockets.stop().await,
            None => WebSocketReport::default(),
        };
        let failed = requests.failures().count();
        row.requests += requests.outcomes().len();
        row.failed += failed;
        row.web_sockets += web_sockets.ended;
        row.cut += web_sockets.cut.len();
        if failed > 0 {
            row.broken(&requests);
        }
        if !web_sockets.cut.is_empty() {
            row.broken(format_args!(
                "WebSockets were cut:\n  {}",
                web_sockets.cut.join("\n  ")
            ));
        }
    }
}

fn requests(stage: &Stage, nodes: &[usize], next_if_refused: bool) -> RunningLoad {
    let clear = HOSTS
        .into_iter()
        .flat_map(|host| nodes.iter().map(move |&node| (host, node, None)));
    let clients = [&stage.http1, &stage.http2];
    let secure = clients.into_iter().flat_map(|client| {
        (nodes.iter()).map(move |&node| (SECURE_HOST, node, Some(Arc::clone(client))))
    });
    let target =
        |((host, backend), node, tls): ((&str, &str), usize, Option<Arc<ClientConfig>>)| {
            let address = if tls.is_some() { https } else { http };
            let others = nodes
                .iter()
                .filter(|&&other| next_if_refused && other != node);
            Target {
                others: others.map(|&other| address(other)).collect(),
                destination: root(address(node), tls.as_ref(), host),
                backend: backend.to_owned(),
            }
        };
    Load::new(clear.chain(secure).map(target).collect())
        .per_second(PER_SECOND)
        .at_most(1_000_000)
        .start()
}

fn web_sockets(nodes: &[usize]) -> RunningWebSockets {
    WebSockets {
        addresses: nodes.iter().map(|&node| http(node)).collect(),
        host: "api.myhoneydue.com".to_owned(),
        at_once: WEB_SOCKETS,
        life: LIFE,
    }
    .start()
}

/// The root of a host.
pub(crate) fn root(
    address: SocketAddr,
    tls: Option<&Arc<ClientConfig>>,
    host: &str,
) -> Destination {
    Destination {
        address,
        tls: tls.map(Arc::clone),
        host: host.to_owned(),
        path: "/".to_owned(),
    }
}

/// Where a node takes HTTP.
pub(crate) const fn http(node: usize) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Nodes::address(node)), 80)
}

/// Where a node takes HTTPS.
pub(crate) const fn https(node: usize) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Nodes::address(node)), 443)
}

/// The hosts of the first user, and who answers for them.
const HOSTS: [(&str, &str); 3] = [
    ("api.myhoneydue.com", "api-"),
    ("myhoneydue.com", "api-"),
    ("admin.myhoneydue.com", "admin-"),
];
/// A host that is served over TLS, too.
pub(crate) const SECURE_HOST: (&str, &str) = ("secure.myhoneydue.com", "api-");
const PER_SECOND: u32 = 300;
const WEB_SOCKETS: usize = 12;
/// Within the grace period of a rollout, so none may be cut.
const LIFE: Duration = Duration::from_secs(15);
