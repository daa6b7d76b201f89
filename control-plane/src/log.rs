//! Sets up logging, to standard error.
//!
//! It does not decide what is logged: problems are data and are reported where they are consumed.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

use crate::args::LogFormat;

/// Logs from here on.
///
/// # Errors
///
/// If the filter does not parse, or something logs already.
pub fn start(filter: &str, format: LogFormat) -> Result<(), LogError> {
    let builder = tracing_subscriber::fmt()
        .with_env_filter(parse(filter)?)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    match format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().try_init(),
    }
    .map_err(LogError::Started)
}

/// Why logging cannot be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// The user's filter does not parse.
    #[error("--log {filter:?} is not a filter; try `info` or `info,sluice_control_plane=debug`")]
    Filter {
        /// What the user wrote.
        filter: String,
        /// Why.
        #[source]
        source: ParseError,
    },
    /// The program's own fault.
    #[error("logging was started already")]
    Started(#[source] Box<dyn std::error::Error + Send + Sync>),
}

fn parse(filter: &str) -> Result<EnvFilter, LogError> {
    let parse = |filter: &str| {
        EnvFilter::try_new(filter).map_err(|source| LogError::Filter {
            filter: filter.to_owned(),
            source,
        })
    };
    parse(filter)?;
    // kube logs each watch that breaks off, and each retry of a list that is forbidden or of a connection that fails, for
    // ever. The source reports them once, as problems. Whoever names the targets in the filter gets it back: the last
    // directive for a target counts.
    parse(&format!("{QUIET},{filter}"))
}

const QUIET: &str = "kube_runtime::watcher=error,kube_client::client=error,kube_client::client::tls=warn,\
                     kube_client::client::builder=off";

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_filter_is_kept_and_a_bad_one_is_named() {
        let filter = parse("debug,kube_runtime::watcher=trace")
            .unwrap()
            .to_string();
        assert!(filter.contains("debug"), "{filter}");
        assert!(filter.contains("kube_runtime::watcher=trace"), "{filter}");
        assert!(!filter.contains("kube_runtime::watcher=error"), "{filter}");
        let error = parse("sluice=loud").unwrap_err().to_string();
        assert!(error.contains("sluice=loud"), "{error}");
    }
}
