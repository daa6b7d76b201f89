//! The program as a whole: starts the parts, joins them by their channels, and ends them.
//!
//! It decides nothing that a part could decide. Every task has an owner here; one that ends by itself takes the program
//! down with an error that names it, because half a control plane is worse than one that Kubernetes restarts.

mod leading;
mod tasks;

use std::sync::Arc;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::app::leading::{LeadersWork, stand};
use crate::app::tasks::Tasks;
use crate::args::{Args, SourceKind};
use crate::identity::{Identity, place};
use crate::introspection::IntrospectionServer;
use crate::listen::listen;
use crate::metrics::Metrics;
use crate::metrics::live::Live;
use crate::metrics::server::serve;
use crate::publication::Publisher;
use crate::reconcile::Reconcile;
use crate::settings;
use crate::source::{self, Source, SourceTask};
use crate::stream::{Registry, StreamServer};

/// Runs until SIGTERM or SIGINT.
///
/// # Errors
///
/// If something cannot be started, or ends by itself; the error names it.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let mut stop = Stop::listen()?;
    let shutdown = CancellationToken::new();
    let mut tasks = tokio::select! {
        started = start(args, shutdown.clone()) => started?,
        () = stop.requested() => return Ok(()),
    };
    tokio::select! {
        error = tasks.first_to_end() => Err(error),
        () = stop.requested() => {
            tracing::info!("told to stop");
            shutdown.cancel();
            tasks.end().await;
            Ok(())
        }
    }
}

async fn start(args: Args, shutdown: CancellationToken) -> anyhow::Result<Tasks> {
    let store = place::store(&args).await?;
    let (settings, settings_task) = settings::open(args.settings.as_deref()).await?;
    let metrics = Arc::new(Metrics::new());
    let client = client(&args).await?;
    let publisher = Publisher::new();
    let registry = Registry::new();
    let mut tasks = Tasks::default();
    // First, because what follows may wait for the API server: whoever asks for our health must not end us meanwhile.
    serve_metrics(&args, &metrics, &publisher, &mut tasks).await?;
    let identity = Arc::new(Identity::open_when_possible(store).await?);
    let (source, source_task) = start_source(&args, client.clone(), &metrics).await?;
    metrics.add(Live {
        publications: publisher.subscribe(),
        nodes: registry.subscribe(),
        identity: Arc::clone(&identity),
    });

    let (leadership, standing) = stand(&args, client.as_ref(), &publisher, &metrics);
    if let Some(standing) = standing {
        tasks.spawn_server("the election of a leader", standing.run(shutdown.clone()));
    }
    let stream = StreamServer {
        listener: listen_for_stream(&args).await?,
        identity: Arc::clone(&identity),
        publisher: publisher.clone(),
        registry: registry.clone(),
        metrics: Arc::clone(&metrics),
        leadership: leadership.clone(),
    };
    tasks.spawn_server("the stream", stream.serve(shutdown.clone()));
    let introspection = IntrospectionServer {
        listener: listen_for_introspection(&args).await?,
        publications: publisher.subscribe(),
        nodes: registry.subscribe(),
        leadership: leadership.clone(),
    };
    tasks.spawn_server("introspection", introspection.serve(shutdown.clone()));
    let keeping = Arc::clone(&identity).keep_current();
    tasks.spawn("the renewal of certificates", keeping);
    tasks.spawn_fallible("the watch on the settings", settings_task);
    let reconcile = Reconcile::new(
        source,
        settings,
        &identity,
        publisher.clone(),
        Arc::clone(&metrics),
    );
    let work = LeadersWork {
        leadership,
        publisher,
        registry,
        board: reconcile.board(),
        arrived: reconcile.arrived(),
        metrics,
    };
    work.spawn(client, &mut tasks);
    tasks.spawn_fallible("the reconcile loop", reconcile.run());
    tasks.spawn_fallible("the source", source_task);
    Ok(tasks)
}

async fn client(args: &Args) -> anyhow::Result<Option<kube::Client>> {
    Ok(match args.source {
        SourceKind::Kube => Some(source::kube::client(args.kubeconfig.as_deref()).await?),
        SourceKind::Files => None,
    })
}

async fn start_source(
    args: &Args,
    client: Option<kube::Client>,
    metrics: &Arc<Metrics>,
) -> anyhow::Result<(Source, SourceTask)> {
    match (client, &args.files) {
        (Some(client), _) => Ok(source::kube::start(client, Arc::clone(metrics))),
        (None, Some(folder)) => Ok(source::files::start(folder).await?),
        (None, None) => anyhow::bail!("--source files needs --files DIR"),
    }
}

async fn serve_metrics(
    args: &Args,
    metrics: &Arc<Metrics>,
    publisher: &Publisher,
    tasks: &mut Tasks,
) -> anyhow::Result<()> {
    let listener = listen("metrics", args.metrics_address).await?;
    tracing::info!(address = %listener.local_addr()?, "metrics are served");
    let publications = publisher.subscribe();
    let serving = serve(listener, Arc::clone(metrics), move || {
        publications.borrow().is_some()
    });
    tasks.spawn("the server of metrics", async { match serving.await {} });
    Ok(())
}

async fn listen_for_stream(args: &Args) -> anyhow::Result<TcpListener> {
    let listener = listen("stream", args.stream_address).await?;
    tracing::info!(address = %listener.local_addr()?, "the stream is served");
    Ok(listener)
}

async fn listen_for_introspection(args: &Args) -> anyhow::Result<TcpListener> {
    let listener = listen("introspection", args.introspection_address).await?;
    tracing::info!(address = %listener.local_addr()?, "introspection is served");
    Ok(listener)
}

/// The signals that ask for an end.
struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Stop {
    fn listen() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("signals cannot be received");
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
        })
    }

    async fn requested(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
