//! One endpoint of a backend, as all cores see it: how busy it is and whether it can be reached.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::clock::uptime_ms;
use crate::proxy::ServerTls;

/// One endpoint. It keeps its identity while its backend keeps its address, and with it its load and its pools.
#[derive(Debug)]
pub(crate) struct Endpoint {
    /// Unique in this process: the key of its pools.
    pub(crate) id: u64,
    /// Where it is.
    pub(crate) address: EndpointAddress,
    /// What clients that come back to it name it by: the same on every node and after every restart.
    pub(crate) affinity: u64,
    /// How it is spoken to, if not in clear.
    pub(crate) tls: Option<ServerTls>,
    outstanding: AtomicU32,
    connect_errors_in_a_row: AtomicU32,
    ejected_until_ms: AtomicU64,
}

/// Where an endpoint is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum EndpointAddress {
    /// A pod or a Service.
    Socket(SocketAddr),
    /// A DNS name that is resolved for each connection, and what it resolves to is checked.
    Name {
        /// The name.
        name: Arc<str>,
        /// The port.
        port: u16,
    },
}

impl Endpoint {
    pub(crate) fn new(address: EndpointAddress) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            affinity: affinity(&address),
            address,
            tls: None,
            outstanding: AtomicU32::new(0),
            connect_errors_in_a_row: AtomicU32::new(0),
            ejected_until_ms: AtomicU64::new(0),
        }
    }

    /// Returns the same, spoken to like this.
    pub(crate) fn spoken_to(self, tls: Option<ServerTls>) -> Self {
        Self { tls, ..self }
    }

    /// Returns how many requests it has not answered yet.
    pub(crate) fn outstanding(&self) -> u32 {
        self.outstanding.load(Ordering::Relaxed)
    }

    /// Counts one more request until the return value is dropped.
    pub(crate) fn begin(self: Arc<Self>) -> Outstanding {
        self.outstanding.fetch_add(1, Ordering::Relaxed);
        Outstanding(self)
    }

    /// Returns whether it is left out for now.
    pub(crate) fn is_ejected(&self) -> bool {
        let until_ms = self.ejected_until_ms.load(Ordering::Relaxed);
        // Most endpoints never were: they cost no look at the clock.
        until_ms != 0 && uptime_ms() < until_ms
    }

    pub(crate) fn connected(&self) {
        // Most calls find 0: reading leaves the cache line shared between the cores.
        if self.connect_errors_in_a_row.load(Ordering::Relaxed) != 0 {
            self.connect_errors_in_a_row.store(0, Ordering::Relaxed);
        }
    }

    /// Notes a connect error; returns whether there have been so many that it should be left out.
    pub(crate) fn connect_failed(&self) -> bool {
        self.connect_errors_in_a_row.fetch_add(1, Ordering::Relaxed) + 1 >= ERRORS_TO_EJECT
    }

    pub(crate) fn eject(&self) {
        let errors = self.connect_errors_in_a_row.load(Ordering::Relaxed);
        let times = u64::from(errors / ERRORS_TO_EJECT).clamp(1, LONGEST_EJECTION);
        self.ejected_until_ms
            .store(uptime_ms() + times * EJECTION_MS, Ordering::Relaxed);
    }
}

/// A request that an endpoint has not answered yet.
#[derive(Debug)]
pub(crate) struct Outstanding(Arc<Endpoint>);

impl Drop for Outstanding {
    fn drop(&mut self) {
        self.0.outstanding.fetch_sub(1, Ordering::Relaxed);
    }
}

impl fmt::Display for EndpointAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(address) => write!(f, "{address}"),
            Self::Name { name, port } => write!(f, "{name}:{port}"),
        }
    }
}

// A stranger who reads it learns no address from it, short of trying them all.
fn affinity(address: &EndpointAddress) -> u64 {
    let mut bytes = [0; 8];
    let mut hasher = blake3::Hasher::new_derive_key("sluice 2026 affinity of an endpoint");
    hasher.update(address.to_string().as_bytes());
    hasher.finalize_xof().fill(&mut bytes);
    u64::from_le_bytes(bytes)
}

const ERRORS_TO_EJECT: u32 = 3;
// Longer each time it fails again, up to this many times.
const EJECTION_MS: u64 = 5_000;
const LONGEST_EJECTION: u64 = 6;
