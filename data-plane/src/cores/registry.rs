//! The connections of clients that a core serves.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::atomic::Ordering;

use sluice_proto::Timeouts;

use crate::clock::uptime_ms;
use crate::cores::Phase;
use crate::cores::connection::{ClientConnection, Command};
use crate::memory::Pressure;
use crate::metrics::CoreCounters;

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

    /// Ends connections whose client lets them wait too long: with a request's header section, or without a request; and
    /// while memory is short, with taking what it asked for.
    ///
    /// One look at all of them is cheaper than a timer that each request would have to move.
    pub(super) fn close_overdue(
        &self,
        timeouts: &Timeouts,
        pressure: Pressure,
        counters: &CoreCounters,
    ) {
        let now_ms = uptime_ms();
        for connection in self.connections.borrow().values() {
            if let Some(command) = connection.overdue(now_ms, timeouts) {
                connection.command(command);
            } else if let Some(command) = connection.overdue_under(pressure, now_ms, timeouts)
                && connection.command(command)
            {
                counters.ended_for_memory.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    pub(super) fn enter(&self, phase: Phase) {
        for connection in self.connections.borrow().values() {
            let finishes = match phase {
                // HTTP/2 has a way to say so without a race: GOAWAY. HTTP/1.1 says it with the next response, for a
                // client may be sending a request just now.
                Phase::Draining => connection.is_http2(),
                Phase::Closing => true,
                Phase::Serving | Phase::Stopped => false,
            };
            if finishes {
                connection.command(Command::Finish);
            }
        }
    }
}
