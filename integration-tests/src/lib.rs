//! The ground that Sluice's integration tests stand on: real programs, a real Kubernetes, addresses
//! of their own. This is no stand-in for any of them, and it knows nothing of what Sluice promises:
//! the promises are in `tests/`.
//!
//! From the ground up: a [`Process`](process::Process) is a running program that ends with its
//! test; a [`Namespace`](namespace::Namespace) is a network in which a test's addresses cannot
//! clash with anybody's and from which no route leads out; a [`Cluster`](kubernetes::Cluster) is
//! etcd and a kube-apiserver in a namespace, built from the Go modules that [`kubernetes_tools`]
//! finds. [`wait`] is how tests wait.
//!
//! On it stand a [`System`](system::System) (a control plane and three data planes beside a cluster),
//! its pods ([`echo`]), what is sent through it ([`client`], [`load`]), how it is asked how far it is
//! ([`introspection`]), [`traefik`] beside it, and the [`demo`], which needs no cluster.

pub mod benchmark;
pub mod certificates;
pub mod client;
pub mod demo;
pub mod echo;
pub mod introspection;
pub mod kubernetes;
pub mod kubernetes_tools;
pub mod load;
pub mod metrics;
pub mod namespace;
pub mod nodes;
pub mod process;
pub mod programs;
pub mod system;
pub mod traefik;
pub mod wait;
