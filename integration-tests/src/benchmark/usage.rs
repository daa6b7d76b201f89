//! What a process has used, as the kernel counts it.

use std::fs;
use std::time::Duration;

use anyhow::Context as _;

/// CPU time and memory of a process.
#[derive(Clone, Copy, Debug)]
pub(super) struct Usage {
    /// In user and kernel mode, of all its threads, since it began.
    pub(super) cpu: Duration,
    /// What of it is in memory now.
    pub(super) resident_bytes: u64,
}

impl Usage {
    pub(super) fn of(process: u32) -> anyhow::Result<Self> {
        let path = format!("/proc/{process}/stat");
        let stat = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        // proc_pid_stat(5): utime and stime are the 14th and 15th field, rss is the 24th, in pages; the second, which may
        // hold spaces, ends at the last parenthesis.
        let fields: Vec<u64> = stat
            .rsplit_once(')')
            .map(|(_, rest)| rest)
            .unwrap_or_default()
            .split_ascii_whitespace()
            .map(|field| field.parse().unwrap_or_default())
            .collect();
        let field = |number: usize| {
            let field = fields.get(number - 3).copied();
            field.with_context(|| format!("{path} has no field {number}"))
        };
        let ticks = field(14)? + field(15)?;
        Ok(Self {
            cpu: Duration::from_millis(ticks * 1000 / rustix::param::clock_ticks_per_second()),
            resident_bytes: field(24)? * rustix::param::page_size() as u64,
        })
    }
}
