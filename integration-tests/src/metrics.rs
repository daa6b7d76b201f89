//! What programs count, as they tell Prometheus.

/// The value of a sample in the text format; the name is with its labels, as it stands there.
#[must_use]
pub fn sample(metrics: &str, name: &str) -> Option<f64> {
    let line = metrics
        .lines()
        .find_map(|line| line.strip_prefix(name).filter(|rest| rest.starts_with(' ')))?;
    line.trim().parse().ok()
}
