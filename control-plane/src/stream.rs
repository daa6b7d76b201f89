//! The stream: gives each data plane what it lacks of the latest publication, over mutual TLS.
//!
//! A connection is accepted only with a certificate of our authority (`accept.rs`); one conversation a data plane feeds
//! its session, which decides what is said; the [`Registry`] knows how far each is. It does not know what is in a
//! snapshot, nor how it came about. A replica that does not lead sends data planes to the one that does (`guide.rs`).

mod accept;
mod conversation;
mod guide;
mod held;
mod hello;
mod nodes;
mod refusal;
mod registry;
mod server;
mod session;

pub use crate::stream::nodes::{
    Disconnected, Liveness, NodeProblem, NodeState, NodeStatus, Nodes, Process,
};
pub use crate::stream::refusal::Refusal;
pub use crate::stream::registry::Registry;
pub use crate::stream::server::{StreamError, StreamServer};
