//! Wires everything and owns it: what starts in which order, and what ends it.
//!
//! ```text
//! this thread: stream client, disk copy, admin socket, metrics, signals        the edge's own threads: requests
//! ```

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::{TcpListener, UnixListener};
use tokio::runtime::{self, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;

use crate::admin::{self, Admin};
use crate::args::{Args, Command, RunArgs};
use crate::disk_copy::{DiskCopy, Kept, Writer};
use crate::edge::{Edge, EdgeConfig};
use crate::health::Health;
use crate::identity::{self, Follow};
use crate::log;
use crate::metrics::Metrics;
use crate::sync::{StreamClient, StreamMetrics, SyncConfig, SyncStatus, mark_stale_endpoints};

/// Does what the arguments say.
///
/// # Errors
///
/// If it cannot start, or a part of it ends.
pub fn main(args: Args) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::Run(args) => run(&args),
        Command::Ready(args) => ask(&args.admin_socket(), "/ready"),
        Command::Live(args) => ask(&args.admin_socket(), "/live"),
        Command::Status(args) => ask(&args.admin_socket(), "/status"),
        Command::Metrics(args) => ask(&args.admin_socket(), "/metrics"),
    }
}

fn ask(socket: &Path, path: &str) -> anyhow::Result<ExitCode> {
    let (went_well, body) = runtime()?.block_on(admin::ask(socket, path))?;
    print!("{body}");
    Ok(if went_well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn run(args: &RunArgs) -> anyhow::Result<ExitCode> {
    log::start(&args.log, args.log_format)?;
    let runtime = runtime()?;
    let outcome = runtime.block_on(serve(args));
    // Whatever still blocks a thread (a write to a dead disk) must not hold the process.
    runtime.shutdown_background();
    outcome.map(|()| ExitCode::SUCCESS)
}

fn runtime() -> anyhow::Result<Runtime> {
    runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start a runtime")
}

async fn serve(args: &RunArgs) -> anyhow::Result<()> {
    let mut signals = Signals::catch()?;
    let seal_keys = identity::seal_keys(&args.identity_dir)?;
    let disk_copy = Arc::new(DiskCopy::open(&args.state_dir, &seal_keys)?);
    let sockets = Sockets::bind(args).await?;
    let _claim = disk_copy.claim()?;
    let metrics = Arc::new(Metrics::new());
    let edge = Arc::new(Edge::start(edge_config(args)?, Arc::clone(&metrics))?);
    let restored = restore(&disk_copy, &edge, &metrics).await?;
    let mut parts = start(args, sockets, &edge, &metrics, disk_copy, restored);
    tracing::info!(
        node = args.node,
        version = env!("CARGO_PKG_VERSION"),
        "started"
    );

    tokio::select! {
        name = signals.next() => tracing::info!(signal = name, "told to stop; finishing what is in flight"),
        ended = parts.tasks.join_next() => anyhow::bail!("a part of the program ended: {ended:?}"),
    }
    tokio::select! {
        () = edge.drain(edge.settings().timeouts.drain) => tracing::info!("drained"),
        name = signals.next() => tracing::warn!(signal = name, "told again; ending at once"),
    }
    // The stream's client goes first, so that the last state is written.
    parts.tasks.shutdown().await;
    tokio::select! {
        written = parts.writer => written.context("the disk copy ended early"),
        () = sleep(LAST_WRITE) => {
            tracing::warn!("the disk does not answer; the last snapshot may not be on it");
            Ok(())
        }
    }
}

/// What runs beside the edge.
struct Parts {
    /// They run until they are aborted.
    tasks: JoinSet<()>,
    /// It ends by itself, after the stream's client.
    writer: JoinHandle<()>,
}

fn start(
    args: &RunArgs,
    sockets: Sockets,
    edge: &Arc<Edge>,
    metrics: &Arc<Metrics>,
    disk_copy: Arc<DiskCopy>,
    restored: u64,
) -> Parts {
    let (status, statuses) = watch::channel(SyncStatus::at_start(restored));
    let (problem, problems) = watch::channel(None);
    let health = Arc::new(Health {
        edge: Arc::clone(edge),
        disk_copy: problems,
    });
    let stream_metrics = StreamMetrics::register(metrics);

    let mut tasks = JoinSet::new();
    let admin = Admin {
        node: args.node.clone(),
        control_plane: args.control_plane.clone(),
        health: Arc::clone(&health),
        metrics: Arc::clone(metrics),
        sync: statuses.clone(),
    };
    tasks.spawn(sockets.serve(Arc::new(admin)));
    tasks.spawn(mark_stale_endpoints(
        Arc::clone(edge),
        statuses.clone(),
        stream_metrics.clone(),
        restored > 0,
    ));
    let client = StreamClient {
        config: SyncConfig {
            node: args.node.clone(),
            control_plane: args.control_plane.clone(),
            identity_dir: args.identity_dir.clone(),
        },
        health,
        metrics: Arc::clone(metrics),
        stream_metrics,
        status,
        instance: format!("{:016x}", fastrand::u64(..)),
    };
    tasks.spawn(client.run());
    let (follow, seal_keys) = Follow::new(&args.identity_dir, metrics);
    tasks.spawn(follow.run());
    let (edge, latest) = (Arc::clone(edge), statuses.clone());
    let writer = Writer {
        copy: disk_copy,
        changes: statuses,
        version: |status: &SyncStatus| status.applied,
        current: move || Kept {
            generation: latest.borrow().generation,
            snapshot: edge.snapshot(),
            certificates: Arc::new(edge.kept()),
        },
        seal_keys,
        node: args.node.clone(),
        problem,
    };
    Parts {
        tasks,
        writer: tokio::spawn(writer.run()),
    }
}

/// Where probes and Prometheus ask.
struct Sockets {
    admin: UnixListener,
    metrics: Option<TcpListener>,
}

impl Sockets {
    async fn bind(args: &RunArgs) -> anyhow::Result<Self> {
        let admin = admin::bind(&args.admin_socket()).await?;
        let metrics = match args.metrics_address {
            None => None,
            Some(address) => Some(TcpListener::bind(address).await.with_context(|| {
                format!("cannot listen on {address} for metrics; give another --metrics-address")
            })?),
        };
        Ok(Self { admin, metrics })
    }

    async fn serve(self, admin: Arc<Admin>) {
        let on_port = async {
            match self.metrics {
                Some(listener) => admin::serve_metrics(listener, Arc::clone(&admin)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            never = admin::serve_socket(self.admin, Arc::clone(&admin)) => match never {},
            never = on_port => match never {},
        }
    }
}

fn edge_config(args: &RunArgs) -> anyhow::Result<EdgeConfig> {
    let cores = match args.cores {
        Some(cores) => cores,
        None => available_parallelism().context("cannot count the cores; give --cores")?,
    };
    let listen = args.listen.iter();
    Ok(EdgeConfig {
        node: args.node.clone(),
        cores,
        listen: listen
            .map(|listen| (listen.name.clone(), listen.address))
            .collect(),
        access_log: Box::new(std::io::stdout()),
    })
}

/// Serves what was served last, if that is known; returns its generation, and 0 if not.
async fn restore(
    disk_copy: &Arc<DiskCopy>,
    edge: &Arc<Edge>,
    metrics: &Metrics,
) -> anyhow::Result<u64> {
    let (copy, edge) = (Arc::clone(disk_copy), Arc::clone(edge));
    let restored = tokio::task::spawn_blocking(move || match copy.load() {
        Ok(None) => {
            tracing::info!(
                "no snapshot on disk; nothing is served until the control plane sends one"
            );
            0
        }
        Ok(Some(kept)) => {
            let refused = edge.restore(&kept.certificates, &kept.snapshot);
            for refusal in refused {
                tracing::error!(
                    kind = refusal.kind,
                    name = refusal.name,
                    reason = refusal.reason,
                    "refused a resource of the snapshot on disk"
                );
            }
            tracing::info!(
                generation = kept.generation,
                resources = kept.snapshot.len(),
                "serving the snapshot on disk until the control plane sends a newer one"
            );
            kept.generation
        }
        Err(error) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "no snapshot from disk; nothing is served until the control plane sends one"
            );
            0
        }
    });
    let generation = restored
        .await
        .context("reading the disk copy ended early")?;
    metrics.set_generation(generation);
    Ok(generation)
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn catch() -> anyhow::Result<Self> {
        let catch = |kind| signal(kind).context("cannot catch signals");
        Ok(Self {
            terminate: catch(SignalKind::terminate())?,
            interrupt: catch(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// The sealed copy is written within this time, or not at all.
const LAST_WRITE: Duration = Duration::from_secs(5);
