//! What the tests of the request path are written with: an edge, backends, clients and resources.

mod backend;
mod client;
mod edge;
mod resources;
mod tls;
mod wait;

pub(crate) use backend::{
    Backend, Body, Frames, channel, closed_port, empty, full, pieces, push, text,
};
pub(crate) use client::{Answer, Client, Stream, get, raw, send};
pub(crate) use edge::TestEdge;
pub(crate) use resources::*;
pub(crate) use tls::{ALL_VERSIONS, Authority, Identity, Pair, Tls, config};
pub(crate) use wait::{eventually, within};
