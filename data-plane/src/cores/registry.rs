//! The connections of clients that a core serves.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use sluice_proto::Timeouts;

use crate::clock::uptime_ms;
use crate::cores::Phase;
use crate::cores::connection::{ClientConnection, Command};

/// All connections of a core.
#[derive(Default)]
pub(super) struct Registry {
    connections: RefCell<HashMap<u64, Rc<ClientConnection>>>,
}

impl Registry {
    pub(super) fn insert(&self, connection: &Rc<ClientConnection>) {
        let mut connections = self.connections.borrow_mut();
        connections.insert(connection.id, Rc::clone(connection));
    }

    pub(super) fn remove(&self, connection: &ClientConnection) {
        self.connections.borrow_mut().remove(&connection.id);
    }

    /// Ends connections whose client lets them wait too long: with a request's header section, or without a request.
    ///
    /// One look at all of them is cheaper than a timer that each request would have to move.
    pub(super) fn close_overdue(&self, timeouts: &Timeouts) {
        let now_ms = uptime_ms();
        for connection in self.connections.borrow().values() {
            if let Some(command) = connection.overdue(now_ms, timeouts) {
                connection.command(command);
            }
        }
    }

    pub(super) fn enter(&self, phase: Phase) {
        for connection in self.connections.borrow().values() {
            match phase {
                // HTTP/2 has a way to say so without a race: GOAWAY. HTTP/1.1 says it with the next response, for a
                // client may be sending a request just now.
                Phase::Draining if connection.is_http2() => connection.command(Command::Finish),
                Phase::Closing => connection.command(Command::Finish),
                Phase::Serving | Phase::Draining | Phase::Stopped => {}
            }
        }
    }
}
