//! The edge's part in a hand-over between two processes of one node: whose connections on which listening socket are
//! accepted. It knows nothing of the other process.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::Ordering;

use crate::edge::Edge;

impl Edge {
    /// Opens no listener until [`Self::release`] or [`Self::take_over`]: another process may hand them over.
    pub(crate) fn hold(&self) {
        self.listeners.hold();
    }

    /// Opens what the snapshot wants.
    pub(crate) fn release(&self) {
        self.listeners.release();
    }

    /// Opens what the snapshot wants, on these sockets of another process where they fit, and closes the others of them.
    /// Returns where those are that were taken.
    pub(crate) fn take_over(&self, sockets: Vec<TcpListener>) -> Vec<SocketAddr> {
        self.listeners.take_over(sockets)
    }

    /// Returns copies of the open listening sockets, for another process. Both accept on them from then on; this one opens no
    /// others until the other serves ([`Self::stop_accepting`]) or is gone ([`Self::accept_again`]).
    ///
    /// # Errors
    ///
    /// If this process has no descriptor left.
    pub(crate) fn give(&self) -> io::Result<Vec<TcpListener>> {
        self.listeners.give()
    }

    /// Leaves the sockets at these addresses to the other process.
    pub(crate) fn stop_accepting(&self, taken: &[SocketAddr]) {
        self.listeners.stop_accepting(taken);
    }

    /// Accepts on all sockets again: the other process is gone.
    pub(crate) fn accept_again(&self) {
        self.listeners.accept_again();
    }

    /// Notes that another process has closed its copies of the sockets.
    pub(crate) fn unshared(&self) {
        self.listeners.unshared();
    }

    /// Closes the listeners: what this process still accepts alone, so that nothing is lost.
    pub(crate) async fn let_go(&self) {
        self.listeners.close().await;
    }

    /// Returns whether endpoints may be somebody else's by now.
    pub(crate) fn endpoints_stale(&self) -> bool {
        self.shared.endpoints_stale.load(Ordering::Relaxed)
    }
}
