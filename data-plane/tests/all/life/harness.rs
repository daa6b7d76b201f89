//! What the tests of the life are written with: a site with its folders and addresses, the program, and a control
//! plane's end of the stream. Backends, clients and resources are those of the request path's tests.

mod authority;
mod control_plane;
mod data_plane;
mod load;
mod site;

pub(super) use authority::Authority;
pub(super) use control_plane::{ControlPlane, Said, Session};
pub(super) use data_plane::DataPlane;
pub(super) use load::{Load, fetch};
pub(super) use site::{Site, shop};

pub(super) use crate::request_path::harness::*;
