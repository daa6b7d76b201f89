//! What is served: one immutable value that every core reads, made of the accepted resources.
//!
//! Routes and certificates change together, so a new host is never served with the wrong certificate. Endpoints live in
//! a slot of their own per backend: pods come and go without anything here being rebuilt. Building happens in
//! [`Accepted`], off the cores.

mod accepted;
mod affinity;
mod backend;
mod build;
mod certificate;
mod endpoint;
mod matcher;
mod patience;
mod route;
mod settings;

use std::sync::Arc;

use sluice_routing::RouteTable;

pub(crate) use crate::serving::accepted::{Accepted, Applied};
pub(crate) use crate::serving::affinity::Affinity;
pub(crate) use crate::serving::backend::ServedBackend;
pub(crate) use crate::serving::certificate::{CertificateTable, HostTls, provider};
pub(crate) use crate::serving::endpoint::{Endpoint, EndpointAddress, Outstanding};
pub(crate) use crate::serving::route::{Answer, Drawn, ServedRoute, Shares};
pub(crate) use crate::serving::settings::ServedSettings;

/// What is served.
pub(crate) struct Served {
    /// Which route answers.
    pub(crate) routes: RouteTable<Arc<ServedRoute>>,
    /// What a TLS client gets.
    pub(crate) certificates: Arc<CertificateTable>,
    /// What holds for the whole edge, and for requests that no route takes.
    pub(crate) edge: Arc<ServedSettings>,
}
