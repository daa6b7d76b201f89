//! The cores: one thread each, with a single-threaded runtime and its own connections, pools and counters, so that a
//! request takes no lock and wakes no other thread.

mod client_chain;
mod connection;
mod registry;
mod serve;
mod stream;

use std::cell::{Cell, RefCell};
use std::io;
use std::ops::Deref;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use arc_swap::{ArcSwap, Cache};
use ipnet::IpNet;
use tokio::runtime::Builder;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::LocalSet;
use tokio::time::{MissedTickBehavior, interval};

use crate::access_log::Lines;
use crate::clock::uptime_ms;
use crate::cores::registry::Registry;
use crate::listener::OpenedBy;
use crate::memory::PressureNow;
use crate::metrics::{CoreCounters, RouteCounters};
use crate::policy::Checkers;
use crate::proxy::{Places, Pool};
use crate::serving::Served;
use crate::tls::ClientTls;

pub(crate) use crate::cores::client_chain::ClientChain;
pub(crate) use crate::cores::connection::{ClientConnection, PieceSent, RequestInFlight, Scheme};
pub(crate) use crate::cores::serve::LocalExecutor;

/// What all cores share.
pub(crate) struct Shared {
    pub(crate) served: Arc<ArcSwap<Served>>,
    /// How many connections this process can serve, whatever the settings allow.
    pub(crate) most_connections: usize,
    /// Those of the connections to endpoints.
    pub(crate) places: Arc<Places>,
    /// Addresses of this node that names which users wrote may resolve to.
    pub(crate) reachable: Arc<[IpNet]>,
    /// How short memory is.
    pub(crate) pressure: PressureNow,
    pub(crate) tls: ClientTls,
    /// Whether endpoints may be somebody else's by now.
    pub(crate) endpoints_stale: AtomicBool,
    /// Whether nobody says that endpoints are current: one that cannot be reached may have been replaced.
    pub(crate) endpoints_unsure: AtomicBool,
    /// Where the edge is in its life.
    pub(crate) phase: watch::Sender<Phase>,
    /// Told whenever a connection has ended.
    pub(crate) connection_ended: Notify,
    /// Who checks passwords.
    pub(crate) checkers: Checkers,
    /// Counts the requests that no route takes.
    pub(crate) no_route: Arc<RouteCounters>,
}

/// Where an edge is in its life.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Phase {
    /// It serves.
    Serving,
    /// It was told to stop: clients are told to go elsewhere.
    Draining,
    /// Its time is nearly over: idle connections are closed.
    Closing,
    /// It is over.
    Stopped,
}

/// A connection of a client, on its way to a core.
pub(crate) struct Accepted {
    pub(crate) stream: std::net::TcpStream,
    pub(crate) peer: std::net::SocketAddr,
    pub(crate) listener: Arc<OpenedBy>,
    pub(crate) counted: Counted,
}

/// Counts one connection of a core until it is dropped.
pub(crate) struct Counted {
    load: Arc<CoreLoad>,
    counters: Arc<CoreCounters>,
    shared: Arc<Shared>,
}

/// How busy a core is, and whether it lives.
#[derive(Debug, Default)]
pub(crate) struct CoreLoad {
    connections: AtomicUsize,
    beat_ms: AtomicU64,
}

/// The way to a core.
#[derive(Clone)]
pub(crate) struct Intake {
    pub(crate) load: Arc<CoreLoad>,
    pub(crate) counters: Arc<CoreCounters>,
    pub(crate) accepted: mpsc::Sender<Accepted>,
}

/// A core, from outside.
pub(crate) struct CoreHandle {
    pub(crate) intake: Intake,
    thread: JoinHandle<()>,
}

/// A core, on its own thread.
pub(crate) struct Core {
    pub(crate) index: usize,
    pub(crate) shared: Arc<Shared>,
    pub(crate) counters: Arc<CoreCounters>,
    pub(crate) lines: Lines,
    pub(crate) pool: Rc<Pool>,
    served: RefCell<Cache<Arc<ArcSwap<Served>>, Arc<Served>>>,
    here: RefCell<Rc<ServedHere>>,
    connections: Registry,
    phase: Cell<Phase>,
}

/// What is served, counted by one core alone: a count that all cores share would be the most contended word of all.
pub(crate) struct ServedHere(Arc<Served>);

impl Deref for ServedHere {
    type Target = Served;

    fn deref(&self) -> &Served {
        &self.0
    }
}

impl CoreHandle {
    /// Starts a core.
    pub(crate) fn start(
        index: usize,
        shared: Arc<Shared>,
        counters: Arc<CoreCounters>,
        lines: Lines,
    ) -> io::Result<Self> {
        let (accepted, receiver) = mpsc::channel(CONNECTIONS_WAITING);
        let load = Arc::new(CoreLoad::default());
        load.beat();
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (beats, counted) = (Arc::clone(&load), Arc::clone(&counters));
        let thread = thread::Builder::new()
            .name(Self::thread_name(index))
            .spawn(move || {
                let core = Core {
                    index,
                    served: RefCell::new(Cache::new(Arc::clone(&shared.served))),
                    here: RefCell::new(Rc::new(ServedHere(shared.served.load_full()))),
                    counters: counted,
                    lines,
                    pool: Rc::new(Pool::new(
                        Arc::clone(&shared.places),
                        Arc::clone(&shared.reachable),
                    )),
                    shared,
                    connections: Registry::default(),
                    phase: Cell::new(Phase::Serving),
                };
                // What is left when the future ends is dropped with the set, before the runtime.
                LocalSet::new().block_on(&runtime, Rc::new(core).run(&beats, receiver));
            })?;
        let intake = Intake {
            load,
            counters,
            accepted,
        };
        Ok(Self { intake, thread })
    }

    pub(crate) fn thread_name(index: usize) -> String {
        format!("core-{index}")
    }

    /// Waits until its thread has ended.
    pub(crate) fn join(self) {
        drop(self.intake);
        if self.thread.join().is_err() {
            tracing::error!("a core's thread panicked");
        }
    }
}

impl Intake {
    /// Counts one more connection.
    pub(crate) fn count(&self, shared: &Arc<Shared>) -> Counted {
        self.load.connections.fetch_add(1, Ordering::Relaxed);
        self.counters.accepted.fetch_add(1, Ordering::Relaxed);
        Counted {
            load: Arc::clone(&self.load),
            counters: Arc::clone(&self.counters),
            shared: Arc::clone(shared),
        }
    }
}

impl CoreLoad {
    /// Returns how many connections it has, those on their way to it included.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    pub(crate) fn beat(&self) {
        self.beat_ms.store(uptime_ms(), Ordering::Relaxed);
    }

    /// Returns how long ago it last showed that it is alive.
    pub(crate) fn since_beat(&self) -> Duration {
        let beat_ms = self.beat_ms.load(Ordering::Relaxed);
        Duration::from_millis(uptime_ms().saturating_sub(beat_ms))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.counters.ended.fetch_add(1, Ordering::Relaxed);
        self.load.connections.fetch_sub(1, Ordering::Relaxed);
        self.shared.connection_ended.notify_one();
    }
}

impl Core {
    /// Returns what is served now.
    pub(crate) fn served(&self) -> Rc<ServedHere> {
        let mut cache = self.served.borrow_mut();
        let mut here = self.here.borrow_mut();
        let current = cache.load();
        if !Arc::ptr_eq(&here.0, current) {
            *here = Rc::new(ServedHere(Arc::clone(current)));
        }
        Rc::clone(&here)
    }

    /// Returns where the edge is in its life, as far as this core has heard.
    pub(crate) fn phase(&self) -> Phase {
        self.phase.get()
    }

    async fn run(self: Rc<Self>, load: &CoreLoad, mut accepted: mpsc::Receiver<Accepted>) {
        let mut phase = self.shared.phase.subscribe();
        // The edge may have ended before this thread began.
        phase.mark_changed();
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                Some(connection) = accepted.recv() => self.open(connection),
                _ = tick.tick() => {
                    load.beat();
                    self.tick();
                }
                changed = phase.changed() => {
                    let phase = *phase.borrow_and_update();
                    self.phase.set(phase);
                    self.lines.flush();
                    if changed.is_err() || phase == Phase::Stopped {
                        return;
                    }
                    self.connections.enter(phase);
                }
            }
        }
    }

    fn tick(&self) {
        self.lines.flush();
        let served = self.served();
        let timeouts = &served.edge.settings.timeouts;
        let pressure = self.shared.pressure.load();
        self.connections
            .close_overdue(timeouts, pressure, &self.counters);
        self.pool.close_idle(timeouts.endpoint_idle);
    }
}

/// How often a core shows that it is alive and looks for what has taken too long.
pub(crate) const TICK: Duration = Duration::from_millis(100);
const CONNECTIONS_WAITING: usize = 1024;
