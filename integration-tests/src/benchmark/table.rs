//! The table, as Markdown: it goes into the documents as it is.

use std::time::Duration;

use super::propagation::Sample;

/// One proxy at one size.
pub(super) struct Row {
    pub(super) what: String,
    pub(super) size: usize,
    pub(super) samples: Vec<Sample>,
    /// Of the control plane, or of the proxy that has none: for creating one Ingress and deleting it.
    pub(super) cpu_each: Option<Duration>,
    pub(super) control_plane_bytes: Option<u64>,
    pub(super) proxy_bytes: u64,
}

pub(super) fn print_header() {
    println!(
        "| | Ingresses | live: median | 99 % | worst | other than 404, then 200 | CPU a change | control plane | proxy |\n\
         |---|---|---|---|---|---|---|---|---|"
    );
}

impl Row {
    pub(super) fn print(&self) {
        let mut times: Vec<Duration> = self.samples.iter().map(|sample| sample.live).collect();
        times.sort_unstable();
        let at = |share: usize| {
            let last = times.len().saturating_sub(1);
            times.get(last * share / 100).copied().unwrap_or_default()
        };
        let wrong: usize = self.samples.iter().map(|sample| sample.wrong).sum();
        let cpu = self
            .cpu_each
            .map_or_else(String::new, |cpu| format!("{cpu:.1?}"));
        let memory = |bytes: u64| format!("{:.0} MiB", bytes as f64 / (1 << 20) as f64);
        println!(
            "| {} | {} | {:.1?} | {:.1?} | {:.1?} | {wrong} | {cpu} | {} | {} |",
            self.what,
            self.size,
            at(50),
            at(99),
            at(100),
            self.control_plane_bytes.map_or_else(String::new, memory),
            memory(self.proxy_bytes),
        );
    }
}
