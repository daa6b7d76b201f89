//! Sluice's own dialect: objects of kind Policy, and annotations of one line each for what is needed most.
//!
//! ```text
//!  settings of the class --policies--+
//!  Ingress --annotation policies-----+--> Policy --> what each of its fields comes to --+
//!     +------other annotations-------------------> the same field ----------------------+--> the route's policies
//! ```
//!
//! An annotation is read as the field of a Policy that it is short for (`short.rs`), so there is one meaning of each
//! (`mean.rs`). It does not know what other dialects say.

mod attach;
mod effect;
mod kept;
mod mean;
mod order;
mod schema;
mod short;
mod spec;
mod value;

pub(crate) use crate::policies::attach::{Attached, Wanted, attach, named};
pub(crate) use crate::policies::effect::Canary;
pub(crate) use crate::policies::kept::Kept;
pub use crate::policies::schema::{
    PolicyAnnotation, PolicyStep, policy_annotations, policy_definition, policy_fields,
    policy_steps,
};
pub(crate) use crate::policies::short::{is_known, read as read_annotations};
