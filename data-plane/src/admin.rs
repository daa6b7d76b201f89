//! The admin socket: a unix socket of the process's own, over which probes and people ask how it is.
//!
//! A unix socket, because a port on the host network would be answered by whichever process of the node holds it. It
//! changes nothing: whoever may open it may only read.

mod access;
mod answer;
mod client;
mod port;
mod server;
mod socket;

pub(crate) use crate::admin::answer::Admin;
pub use crate::admin::client::{AskError, ask};
pub(crate) use crate::admin::port::MetricsPort;
pub(crate) use crate::admin::server::{serve_metrics, serve_socket};
pub use crate::admin::socket::SocketError;
pub(crate) use crate::admin::socket::bind;
