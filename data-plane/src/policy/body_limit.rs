//! A body limit: a body that says that it is too large is refused at once, one that does not say is cut where it becomes so.
//! Nothing is kept of either.

use http_body::Body;

use crate::policy::passage::Passed;
use crate::proxy::{Cause, RequestBody, ResponseBody};

/// How large bodies may be.
pub(super) struct BodyLimit {
    request_bytes: Option<u64>,
    response_bytes: Option<u64>,
}

impl BodyLimit {
    pub(super) fn new(limit: &sluice_proto::BodyLimit) -> Self {
        Self {
            request_bytes: limit.request_bytes.map(Into::into),
            response_bytes: limit.response_bytes.map(Into::into),
        }
    }

    pub(super) fn admit(&self, body: &RequestBody) -> Result<(), Cause> {
        let Some(most) = self.request_bytes else {
            return Ok(());
        };
        if body.size_hint().lower() > most {
            return Err(Cause::RequestBodyTooLarge);
        }
        body.limit(most);
        Ok(())
    }

    pub(super) fn release(&self, passed: &Passed, body: &mut ResponseBody) -> Result<(), Cause> {
        let Some(most) = self.response_bytes else {
            return Ok(());
        };
        // Some have no body, whatever length their header section has.
        if body.is_own() || body.is_end_stream() || passed.is_head {
            return Ok(());
        }
        match body.size_hint().exact() {
            Some(length) if length > most => return Err(Cause::ResponseBodyTooLarge),
            Some(_) => {}
            None => body.limit(most),
        }
        Ok(())
    }
}
