//! What is printed: one row for each scenario.

use std::fmt;
use std::time::Duration;

/// What became of a scenario.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    /// How many requests were sent meanwhile.
    pub(crate) requests: usize,
    /// How many of them failed.
    pub(crate) failed: usize,
    /// How many WebSockets lived to their end.
    pub(crate) web_sockets: usize,
    /// How many were cut.
    pub(crate) cut: usize,
    /// What else was measured.
    pub(crate) note: String,
    /// What was promised and not kept; empty if all was kept.
    pub(crate) broken: Vec<String>,
}

impl Row {
    /// Adds what a scenario measured.
    pub(crate) fn note(&mut self, note: impl fmt::Display) {
        if !self.note.is_empty() {
            self.note += "; ";
        }
        self.note += &note.to_string();
    }

    /// Adds what was promised and not kept.
    pub(crate) fn broken(&mut self, what: impl fmt::Display) {
        self.broken.push(what.to_string());
    }

    /// Notes a time, and that it was to be at most so long.
    pub(crate) fn at_most(&mut self, what: &str, took: Duration, bar: Duration) {
        self.note(format_args!("{what} {took:.1?} (bar {bar:?})"));
        if took > bar {
            self.broken(format_args!("{what} took {took:.1?}, not at most {bar:?}"));
        }
    }

    pub(crate) fn print(&self, name: &str, took: Duration) {
        let verdict = if self.broken.is_empty() {
            "kept"
        } else {
            "BROKEN"
        };
        println!(
            "{name:<22} {:>5.0} s {:>9} {:>7} {:>7} {:>5}  {verdict:<7} {}",
            took.as_secs_f64(),
            self.requests,
            self.failed,
            self.web_sockets,
            self.cut,
            self.note
        );
        for broken in &self.broken {
            println!("    {}", broken.replace('\n', "\n    "));
        }
    }
}

/// Prints what the columns are.
pub(crate) fn print_header() {
    println!(
        "{:<22} {:>7} {:>9} {:>7} {:>7} {:>5}  promise",
        "scenario", "took", "requests", "failed", "sockets", "cut"
    );
}
