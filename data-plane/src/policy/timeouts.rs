//! Timeouts of a route: how long things may take, where it is not as the settings say.
//!
//! They hold for the whole request, wherever in the list of policies they stand, so a route has them put together when it is
//! built. Of two that say the same, the later one holds.

use std::sync::Arc;
use std::time::Duration;

use sluice_proto::Timeouts;

use crate::policy::{Action, ServedPolicy};

/// What the policies of a route say of how long things may take.
#[derive(Default)]
pub(crate) struct RouteTimeouts(sluice_proto::RouteTimeouts);

impl RouteTimeouts {
    /// Returns what these policies say.
    pub(crate) fn of(policies: &[Arc<ServedPolicy>]) -> Self {
        let mut all = sluice_proto::RouteTimeouts::default();
        for policy in policies {
            if let Action::Timeouts(later) = &policy.action {
                all = sluice_proto::RouteTimeouts {
                    connect: later.connect.or(all.connect),
                    response_headers: later.response_headers.or(all.response_headers),
                    request_body_idle: later.request_body_idle.or(all.request_body_idle),
                    response_body_idle: later.response_body_idle.or(all.response_body_idle),
                    request: later.request.or(all.request),
                };
            }
        }
        Self(all)
    }

    /// Returns how long things may take on this route.
    pub(crate) fn over(&self, settings: &Timeouts) -> Timeouts {
        let own = &self.0;
        Timeouts {
            connect: own.connect.unwrap_or(settings.connect),
            response_headers: own.response_headers.unwrap_or(settings.response_headers),
            request_body_idle: own.request_body_idle.unwrap_or(settings.request_body_idle),
            response_body_idle: own
                .response_body_idle
                .unwrap_or(settings.response_body_idle),
            ..*settings
        }
    }

    /// Returns how long a request may take, from its header section to the end of its response, if there is a limit.
    pub(crate) const fn request(&self) -> Option<Duration> {
        self.0.request
    }
}
