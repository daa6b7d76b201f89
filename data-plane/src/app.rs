//! Wires everything and owns it: what starts in which order, and what ends it.
//!
//! ```text
//! this thread: stream client, disk copy, admin socket, metrics, hand-over, signals        the edge's own threads: requests
//! ```

mod restore;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use anyhow::Context as _;
use sluice_proto::Problem;
use tokio::net::UnixListener;
use tokio::runtime::{self, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep};

use crate::admin::{self, Admin, MetricsPort};
use crate::app::restore::{Restored, restore};
use crate::args::{Args, Command, OnOff, RunArgs};
use crate::descriptors;
use crate::disk_copy::{DiskCopy, Kept, Writer};
use crate::edge::{Edge, EdgeConfig};
use crate::hand_over::{self, Birth, HandOver, HandOverConfig, Keep, Leave, Part};
use crate::health::Health;
use crate::identity::{self, Follow, SealKeys};
use crate::log;
use crate::memory;
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
    let admin = admin::bind(&args.admin_socket()).await?;
    let _claim = disk_copy.claim()?;
    let metrics = Arc::new(Metrics::new());
    let process = Process {
        args,
        instance: format!("{:016x}", fastrand::u64(..)),
        edge: Arc::new(Edge::start(edge_config(args)?, Arc::clone(&metrics))?),
        metrics,
        disk_copy,
        metrics_port: metrics_port(args).await?,
    };
    let (hand_over, leave, restored) = process.begin(&seal_keys).await?;
    let mut parts = process.start(admin, hand_over, restored);
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
        () = drain(&process.edge, leave) => tracing::info!("drained"),
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

async fn drain(edge: &Edge, leave: Option<Leave>) {
    let start = Instant::now();
    let grace = edge.settings().timeouts.drain;
    if let Some(leave) = leave {
        leave.leave().await;
    }
    edge.drain(grace.saturating_sub(start.elapsed())).await;
}

/// What a process is made of, before its parts run.
struct Process<'a> {
    args: &'a RunArgs,
    instance: String,
    edge: Arc<Edge>,
    metrics: Arc<Metrics>,
    disk_copy: Arc<DiskCopy>,
    metrics_port: Option<Arc<MetricsPort>>,
}

/// What runs beside the edge.
struct Parts {
    /// They run until they are aborted.
    tasks: JoinSet<()>,
    /// It ends by itself, after the stream's client.
    writer: JoinHandle<()>,
}

/// The hand-over of this process, if it takes part in one, and how it is.
struct Sharing {
    hand_over: Option<HandOver>,
    status: watch::Receiver<hand_over::Status>,
}

impl Process<'_> {
    /// Serves what the data plane before this one served, if that is known: what it hands over, or what is on the disk.
    async fn begin(
        &self,
        seal_keys: &SealKeys,
    ) -> anyhow::Result<(Sharing, Option<Leave>, Restored)> {
        let part = match self.args.hand_over {
            OnOff::On => Part::Alone,
            OnOff::Off => Part::Off,
        };
        let (status, statuses) = watch::channel(hand_over::Status::new(part));
        let (mut sharing, mut leave, mut handed) = (None, None, None);
        if part != Part::Off {
            let config = HandOverConfig {
                node: self.args.node.clone(),
                instance: self.instance.clone(),
                birth: Birth::of_folder(&self.args.state_dir)?,
                installation: identity::installation(&self.args.identity_dir)?,
                seal_keys,
                edge: Arc::clone(&self.edge),
                metrics_port: self.metrics_port.clone(),
                disk_copy: Arc::clone(&self.disk_copy),
                metrics: &self.metrics,
            };
            let begun = HandOver::begin(config, status).await;
            (sharing, leave, handed) = (Some(begun.0), Some(begun.1), begun.2);
        }
        let restored = restore(&self.disk_copy, &self.edge, &self.metrics, handed).await?;
        let sharing = Sharing {
            hand_over: sharing,
            status: statuses,
        };
        Ok((sharing, leave, restored))
    }

    fn start(&self, socket: UnixListener, sharing: Sharing, restored: Restored) -> Parts {
        let (status, statuses) = watch::channel(SyncStatus::at_start(restored.generation));
        let (problem, problems) = watch::channel(None);
        let mut tasks = JoinSet::new();
        let health = Arc::new(Health {
            edge: Arc::clone(&self.edge),
            disk_copy: problems,
            memory: self.watch_memory(&mut tasks),
            hand_over: sharing.status,
            metrics_port: self.metrics_port.clone(),
        });
        let stream_metrics = StreamMetrics::register(&self.metrics);
        self.start_admin(&mut tasks, socket, &health, &statuses);
        tasks.spawn(mark_stale_endpoints(
            Arc::clone(&self.edge),
            statuses.clone(),
            stream_metrics.clone(),
            restored.endpoints_stale,
        ));
        let client = StreamClient {
            config: SyncConfig {
                node: self.args.node.clone(),
                control_plane: self.args.control_plane.clone(),
                identity_dir: self.args.identity_dir.clone(),
            },
            health,
            metrics: Arc::clone(&self.metrics),
            stream_metrics,
            status,
            instance: self.instance.clone(),
        };
        tasks.spawn(client.run());
        let (follow, seal_keys) = Follow::new(&self.args.identity_dir, &self.metrics);
        tasks.spawn(follow.run());
        let (edge, latest) = (Arc::clone(&self.edge), statuses.clone());
        let keep: Keep = Arc::new(move || Kept {
            generation: latest.borrow().generation,
            snapshot: edge.snapshot(),
            certificates: edge.kept(),
        });
        if let Some(hand_over) = sharing.hand_over {
            let running = hand_over.run(Arc::clone(&keep), seal_keys.clone());
            tasks.spawn(async move { match running.await {} });
        }
        let writer = Writer {
            copy: Arc::clone(&self.disk_copy),
            changes: statuses,
            version: |status: &SyncStatus| status.applied,
            current: move || keep(),
            seal_keys,
            node: self.args.node.clone(),
            problem,
        };
        Parts {
            tasks,
            writer: tokio::spawn(writer.run()),
        }
    }

    fn watch_memory(&self, tasks: &mut JoinSet<()>) -> watch::Receiver<Option<Problem>> {
        let (problem, problems) = watch::channel(None);
        let watch = memory::Watch {
            limit: self.args.memory_limit,
            edge: Arc::clone(&self.edge),
            node: self.args.node.clone(),
            problem,
        };
        tasks.spawn(watch.run(Arc::clone(&self.metrics)));
        problems
    }

    fn start_admin(
        &self,
        tasks: &mut JoinSet<()>,
        socket: UnixListener,
        health: &Arc<Health>,
        statuses: &watch::Receiver<SyncStatus>,
    ) {
        let admin = Arc::new(Admin {
            node: self.args.node.clone(),
            control_plane: self.args.control_plane.clone(),
            health: Arc::clone(health),
            metrics: Arc::clone(&self.metrics),
            sync: statuses.clone(),
            metrics_refused: Admin::register(&self.metrics),
        });
        let serving = admin::serve_socket(socket, Arc::clone(&admin));
        tasks.spawn(async move { match serving.await {} });
        if let Some(port) = &self.metrics_port {
            let serving = admin::serve_metrics(Arc::clone(port), admin);
            tasks.spawn(async move { match serving.await {} });
        }
    }
}

/// Returns the port for metrics, which is bound already if there is no hand-over that it could come from.
async fn metrics_port(args: &RunArgs) -> anyhow::Result<Option<Arc<MetricsPort>>> {
    let Some(address) = args.metrics_address else {
        return Ok(None);
    };
    let port = MetricsPort::new(address, args.node.clone());
    if args.hand_over == OnOff::Off {
        port.bind().with_context(|| {
            format!("cannot listen on {address} for metrics; give another --metrics-address")
        })?;
    }
    Ok(Some(Arc::new(port)))
}

fn edge_config(args: &RunArgs) -> anyhow::Result<EdgeConfig> {
    let cores = match args.cores {
        Some(cores) => cores,
        None => available_parallelism().context("cannot count the cores; give --cores")?,
    };
    let descriptors = descriptors::raise().context("cannot raise the limit of open files")?;
    let most_connections = descriptors::connections(descriptors);
    tracing::info!(
        descriptors,
        most_connections,
        "raised the limit of open files to what this process may have"
    );
    let listen = args.listen.iter();
    Ok(EdgeConfig {
        most_connections,
        node: args.node.clone(),
        cores,
        listen: listen
            .map(|listen| (listen.name.clone(), listen.address))
            .collect(),
        reachable: args.reachable.clone(),
        access_log: Box::new(std::io::stdout()),
    })
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
