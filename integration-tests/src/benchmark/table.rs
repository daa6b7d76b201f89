//! The tables, as Markdown: they go into the documents as they are.

use std::time::Duration;

use super::costs::Costs;
use super::propagation::Sample;

/// One proxy at one size.
pub(super) struct Row {
    pub(super) what: &'static str,
    pub(super) size: usize,
    pub(super) samples: Vec<Sample>,
    /// Until when an endpoint that is gone was sent requests.
    pub(super) removals: Vec<Duration>,
    /// Of the control plane, or of the proxy that has none, for a change of an Ingress.
    pub(super) cpu_each: Duration,
    /// What the control plane sends each node for it.
    pub(super) bytes_each: Option<f64>,
    pub(super) control_plane_bytes: Option<u64>,
    pub(super) proxy_bytes: u64,
    pub(super) costs: Costs,
}

/// Prints what changes take and cost.
pub(super) fn print_changes(rows: &[Row]) {
    println!(
        "| | Ingresses | live: median | 99 % | worst | other than 404, then 200 | endpoint gone: median | 99 % | CPU a change \
         | sent a change and node |\n|---|---|---|---|---|---|---|---|---|---|"
    );
    for row in rows {
        let live = row.samples.iter().map(|sample| sample.live).collect();
        let (live, gone) = (Times::new(live), Times::new(row.removals.clone()));
        let wrong: usize = row.samples.iter().map(|sample| sample.wrong).sum();
        println!(
            "| {} | {} | {:.1?} | {:.1?} | {:.1?} | {wrong} | {:.1?} | {:.1?} | {:.1?} | {} |",
            row.what,
            row.size,
            live.at(50),
            live.at(99),
            live.at(100),
            gone.at(50),
            gone.at(99),
            row.cpu_each,
            row.bytes_each
                .map_or_else(String::new, |bytes| format!("{bytes:.0} B")),
        );
    }
}

/// Prints what requests cost, and what memory is used.
pub(super) fn print_costs(rows: &[Row]) {
    println!(
        "| | Ingresses | control plane | proxy | idle connection | idle TLS connection | CPU a request | guarded by Middlewares | CPU a \
         TLS connection |\n|---|---|---|---|---|---|---|---|---|"
    );
    for row in rows {
        let mebibytes = |bytes: u64| format!("{:.0} MiB", bytes as f64 / f64::from(1 << 20));
        let kibibytes = |bytes: u64| format!("{:.1} KiB", bytes as f64 / f64::from(1 << 10));
        println!(
            "| {} | {} | {} | {} | {} | {} | {:.1?} | {:.1?} | {:.0?} |",
            row.what,
            row.size,
            row.control_plane_bytes.map_or_else(String::new, mebibytes),
            mebibytes(row.proxy_bytes),
            kibibytes(row.costs.idle_bytes),
            kibibytes(row.costs.idle_tls_bytes),
            row.costs.request,
            row.costs.guarded_request,
            row.costs.tls_connection,
        );
    }
}

/// Times, the shortest first.
struct Times(Vec<Duration>);

impl Times {
    fn new(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self(times)
    }

    /// Returns the shortest that is not exceeded by this share of them, in per cent.
    fn at(&self, share: usize) -> Duration {
        let last = self.0.len().saturating_sub(1);
        self.0.get(last * share / 100).copied().unwrap_or_default()
    }
}
