//! Starts an edge: its threads, and nothing that a client could reach yet.

use std::collections::BTreeSet;
use std::io;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use arc_swap::ArcSwap;
use tokio::sync::{Notify, watch};

use crate::access_log::Writer;
use crate::cores::{CoreHandle, Phase, Shared};
use crate::edge::listeners::Listeners;
use crate::edge::{Edge, EdgeConfig, EdgeError, State};
use crate::listener::Acceptor;
use crate::memory::PressureNow;
use crate::metrics::{Metrics, RouteLabels};
use crate::policy::Checkers;
use crate::proxy::Places;
use crate::serving::Accepted;
use crate::tls::ClientTls;

impl Edge {
    /// Starts the cores. No listener is open before the first snapshot.
    ///
    /// # Errors
    ///
    /// If this machine does not give it its threads.
    pub fn start(config: EdgeConfig, metrics: Arc<Metrics>) -> Result<Self, EdgeError> {
        // Counters of routes have a part for each core, so cores come first.
        let counters: Vec<_> = (0..config.cores.get()).map(|_| metrics.core()).collect();
        let mut accepted = Accepted::new(&config.node, Arc::clone(&metrics));
        let served = Arc::new(ArcSwap::from_pointee(accepted.build()));
        let shared = Arc::new(Shared {
            tls: ClientTls::new(&served).map_err(EdgeError::Tls)?,
            served,
            most_connections: config.most_connections,
            places: Places::new(config.most_connections),
            reachable: config.reachable.into(),
            pressure: PressureNow::default(),
            endpoints_stale: AtomicBool::new(false),
            endpoints_unsure: AtomicBool::new(false),
            phase: watch::Sender::new(Phase::Serving),
            connection_ended: Notify::new(),
            checkers: Checkers::start((config.cores.get() / 2).max(1))
                .map_err(failed(Checkers::THREAD))?,
            no_route: metrics.route(&RouteLabels::none()),
        });
        let writer = Writer::start(config.access_log).map_err(failed(Writer::THREAD))?;
        let mut cores = Vec::new();
        for (index, counters) in counters.into_iter().enumerate() {
            let lines = writer.lines(Arc::clone(&counters));
            let core = CoreHandle::start(index, Arc::clone(&shared), counters, lines);
            cores.push(core.map_err(failed(&CoreHandle::thread_name(index)))?);
        }
        let intakes = cores.iter().map(|core| core.intake.clone()).collect();
        let acceptor = Acceptor::start(intakes, Arc::clone(&shared));
        let acceptor = acceptor.map_err(failed(Acceptor::THREAD))?;
        Ok(Self {
            listeners: Listeners::new(acceptor, config.node, config.listen),
            cores,
            writer: Some(writer),
            shared,
            metrics,
            state: Mutex::new(State {
                accepted,
                refused: BTreeSet::new(),
                retired: Vec::new(),
            }),
        })
    }
}

fn failed(name: &str) -> impl FnOnce(io::Error) -> EdgeError {
    move |source| EdgeError::Thread {
        name: name.to_owned(),
        source,
    }
}
