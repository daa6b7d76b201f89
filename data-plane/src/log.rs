//! Sets up logging, to standard error.
//!
//! It does not write the access log: that is JSON on standard output (`access_log.rs`).

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

use crate::args::LogFormat;

/// Logs from here on.
///
/// # Errors
///
/// If the filter does not parse, or something logs already.
pub fn start(filter: &str, format: LogFormat) -> Result<(), LogError> {
    let parsed = EnvFilter::try_new(filter).map_err(|source| LogError::Filter {
        filter: filter.to_owned(),
        source,
    })?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(parsed)
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
    #[error("--log {filter:?} is not a filter; try `info` or `info,sluice_data_plane=debug`")]
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
