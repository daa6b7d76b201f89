//! The ground that Sluice's integration tests stand on: real programs, a real Kubernetes, addresses
//! of their own. This is no stand-in for any of them, and it knows nothing of what Sluice promises:
//! the promises are in `tests/`.
//!
//! From the ground up: a [`Process`](process::Process) is a running program that ends with its
//! test; a [`Namespace`](namespace::Namespace) is a network in which a test's addresses cannot
//! clash with anybody's and from which no route leads out; a [`Cluster`](kubernetes::Cluster) is
//! etcd and a kube-apiserver in a namespace, built from the Go modules that [`kubernetes_tools`]
//! finds. [`wait`] is how tests wait.

pub mod kubernetes;
pub mod kubernetes_tools;
pub mod namespace;
pub mod process;
pub mod wait;
