//! Which route answers a request, and whose request it is: pure functions that know no socket, clock or task.
//!
//! * [`RouteTable`]: built from typed routes, asked with a host and a path.
//! * [`candidates`](RouteTable::candidates): the same question with the reasons, for people.
//! * [`request_host`]: what a request calls its host, as the table wants it.
//! * [`ClientAddress`]: who the client is, where trusted proxies stand before it.
//!
//! The data plane routes with it and the control plane explains with it, so both say the same.

mod candidate;
mod client_address;
mod host;
mod path_table;
mod route_table;

pub use crate::candidate::{Candidate, Loss};
pub use crate::client_address::{ClientAddress, ClientAddressHeader, TrustedPeers};
pub use crate::host::request_host;
pub use crate::route_table::{RouteTable, Routed};
