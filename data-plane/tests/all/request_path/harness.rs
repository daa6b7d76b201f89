//! What the tests of the request path are written with: an edge, backends, clients and resources.

mod backend;
mod client;
mod edge;
mod resources;
mod tls;
mod wait;

pub(super) use backend::{Backend, Body, closed_port, empty, full, text};
pub(super) use client::{Answer, Client, Stream, get, raw, send};
pub(super) use edge::TestEdge;
pub(super) use resources::*;
pub(super) use tls::{Pair, Tls};
pub(super) use wait::{eventually, within};
