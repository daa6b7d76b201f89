//! What one core counts that belongs to no route: connections, handshakes, what strangers sent.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

/// What one core counts.
#[derive(Debug, Default)]
pub(crate) struct CoreCounters {
    /// Requests whose response has not ended.
    pub(crate) in_flight: AtomicU64,
    /// Connections of clients accepted.
    pub(crate) accepted: AtomicU64,
    /// Connections of clients that have ended.
    pub(crate) ended: AtomicU64,
    /// Connections of clients closed at once because there were too many, or too little memory.
    pub(crate) over_limit: AtomicU64,
    /// Connections of clients ended because memory was short and they waited for their clients.
    pub(crate) ended_for_memory: AtomicU64,
    /// Lines of the access log that were dropped because its writer was too slow.
    pub(crate) log_lines_dropped: AtomicU64,
    handshake_failures: [AtomicU64; HandshakeFailure::ALL.len()],
    protocol_errors: [AtomicU64; ProtocolError::ALL.len()],
}

/// Why a TLS handshake failed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum HandshakeFailure {
    /// The client took too long.
    Timeout,
    /// The connection ended.
    Closed,
    /// There is no certificate for the host, and settings say to refuse it.
    NoCertificate,
    /// The client refused: an alert.
    Alert,
    /// What it sent is not TLS, or not a version or cipher that is spoken here.
    Protocol,
}

impl HandshakeFailure {
    const ALL: [(Self, &'static str); 5] = [
        (Self::Timeout, "timeout"),
        (Self::Closed, "closed"),
        (Self::NoCertificate, "no_certificate"),
        (Self::Alert, "alert"),
        (Self::Protocol, "protocol"),
    ];
}

/// What a client sent that no route saw: hyper answers it, or nobody.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ProtocolError {
    /// Broken framing: 400.
    Malformed,
    /// Too many or too large header fields: 431.
    TooLarge,
    /// The header section took too long.
    HeaderTimeout,
}

impl ProtocolError {
    const ALL: [(Self, &'static str); 3] = [
        (Self::Malformed, "malformed"),
        (Self::TooLarge, "too_large"),
        (Self::HeaderTimeout, "header_timeout"),
    ];
}

impl CoreCounters {
    pub(crate) fn handshake_failed(&self, failure: HandshakeFailure) {
        self.handshake_failures[failure as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn protocol_error(&self, error: ProtocolError) {
        self.protocol_errors[error as usize].fetch_add(1, Ordering::Relaxed);
    }
}

/// All cores of a process.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cores {
    all: Arc<Mutex<Vec<Arc<CoreCounters>>>>,
}

impl Cores {
    pub(crate) fn add(&self) -> Arc<CoreCounters> {
        let counters = Arc::default();
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(Arc::clone(&counters));
        counters
    }

    pub(crate) fn count(&self) -> usize {
        self.all
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .len()
    }
}

impl Collector for Cores {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let all = self
            .all
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        encode_totals(&all, &mut encoder)?;
        encode_reasons(
            &mut encoder,
            "tls_handshake_failures",
            "TLS handshakes that failed, by reason",
            HandshakeFailure::ALL.map(|(failure, name)| {
                (
                    name,
                    sum(&all, |core| &core.handshake_failures[failure as usize]),
                )
            }),
        )?;
        encode_reasons(
            &mut encoder,
            "client_protocol_errors",
            "Connections ended because of what the client sent, by reason",
            ProtocolError::ALL.map(|(error, name)| {
                (
                    name,
                    sum(&all, |core| &core.protocol_errors[error as usize]),
                )
            }),
        )
    }
}

fn sum(all: &[Arc<CoreCounters>], field: impl Fn(&CoreCounters) -> &AtomicU64) -> u64 {
    let counts = all.iter().map(|core| field(core).load(Ordering::Relaxed));
    counts.sum()
}

fn encode_totals(all: &[Arc<CoreCounters>], encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let accepted = sum(all, |core| &core.accepted);
    let open = accepted.saturating_sub(sum(all, |core| &core.ended));
    for (name, help, count) in [
        (
            "requests_in_flight",
            "Requests whose response has not ended",
            sum(all, |core| &core.in_flight),
        ),
        (
            "connections_open",
            "Connections of clients that are open",
            open,
        ),
    ] {
        encoder
            .encode_descriptor(name, help, None, MetricType::Gauge)?
            .encode_gauge(&count)?;
    }
    for (name, help, count) in [
        ("connections", "Connections of clients accepted", accepted),
        (
            "connections_over_limit",
            "Connections of clients closed at once because there were too many, or too little memory",
            sum(all, |core| &core.over_limit),
        ),
        (
            "connections_ended_for_memory",
            "Connections of clients ended because memory was short and they waited for their clients",
            sum(all, |core| &core.ended_for_memory),
        ),
        (
            "access_log_lines_dropped",
            "Lines of the access log dropped because they could not be written fast enough",
            sum(all, |core| &core.log_lines_dropped),
        ),
    ] {
        encoder
            .encode_descriptor(name, help, None, MetricType::Counter)?
            .encode_counter::<NoLabelSet, _, u64>(&count, None)?;
    }
    Ok(())
}

fn encode_reasons(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    counts: impl IntoIterator<Item = (&'static str, u64)>,
) -> fmt::Result {
    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    for (reason, count) in counts {
        metric
            .encode_family(&[("reason", reason)])?
            .encode_counter::<NoLabelSet, _, u64>(&count, None)?;
    }
    Ok(())
}
