//! Knocks at the ports of nodes all the time: a connection that is refused shows a moment without a listener, however short
//! the gap between two requests of the load would make it look.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use crate::table::Row;
use crate::traffic::{http, https};

/// The knocking under way.
#[derive(Debug)]
pub(crate) struct Knocking {
    knockers: JoinSet<Knocks>,
    stop: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct Knocks {
    opened: usize,
    longest: Duration,
    failures: Vec<String>,
}

impl Knocking {
    /// Starts it at these nodes. Must be called outside of the nodes.
    pub(crate) fn at(nodes: &[usize]) -> Self {
        let stop = watch::Sender::new(false);
        let ports = nodes.iter().flat_map(|&node| [http(node), https(node)]);
        Self {
            knockers: ports.map(|port| knock(port, stop.subscribe())).collect(),
            stop,
        }
    }

    /// Ends it, and notes what became of it: whatever was not opened is a broken promise.
    pub(crate) async fn stop(self, row: &mut Row) {
        self.stop.send_replace(true);
        let (mut opened, mut longest) = (0, Duration::ZERO);
        for knocks in self.knockers.join_all().await {
            opened += knocks.opened;
            longest = longest.max(knocks.longest);
            if !knocks.failures.is_empty() {
                row.broken(format_args!(
                    "{} connections were not opened, such as:\n  {}",
                    knocks.failures.len(),
                    knocks.failures[..knocks.failures.len().min(10)].join("\n  ")
                ));
            }
        }
        row.note(format_args!("{opened} times knocked"));
        row.at_most("opened after", longest, NO_PACKET_LOST);
    }
}

async fn knock(port: SocketAddr, stopped: watch::Receiver<bool>) -> Knocks {
    let mut knocks = Knocks::default();
    let started = Instant::now();
    let mut beats = interval(EACH);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !*stopped.borrow() {
        beats.tick().await;
        let at = Instant::now();
        match timeout(PATIENCE, open(port)).await {
            Ok(Ok(())) => {
                knocks.opened += 1;
                knocks.longest = knocks.longest.max(at.elapsed());
            }
            failed => {
                let error = failed.map_or_else(
                    |_| format!("nothing within {PATIENCE:?}"),
                    |failed| failed.map_or_else(|error| error.to_string(), |()| String::new()),
                );
                knocks.failures.push(format!(
                    "{port} after {:.3} s: {error}",
                    started.elapsed().as_secs_f64()
                ));
            }
        }
    }
    knocks
}

async fn open(address: SocketAddr) -> std::io::Result<()> {
    let stream = TcpStream::connect(address).await?;
    // Closed by a reset: thousands of ports that wait for late packets would run out.
    stream.set_zero_linger()
}

/// A gap of this length is found.
const EACH: Duration = Duration::from_millis(1);
/// A first packet that was dropped is sent again after a second.
const NO_PACKET_LOST: Duration = Duration::from_millis(900);
/// The kernel says a first packet again that was lost, after one second and after three.
const PATIENCE: Duration = Duration::from_secs(10);
