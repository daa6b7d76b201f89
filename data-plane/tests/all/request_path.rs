//! The request path: a real edge on loopback, with real backends behind it and real clients before it.

mod access_log;
mod affinity;
mod answers;
mod canary;
mod client_identity;
mod closing;
mod drain;
mod endpoints;
pub(crate) mod harness;
mod hostile;
mod messages;
mod mutual_tls;
mod policies;
mod retries;
mod serving;
mod settings;
mod streaming;
mod tls;
mod upgrade;
mod upstream_tls;
