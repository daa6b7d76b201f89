//! Forward authentication: a service that a user named decides whether a request may pass.
//!
//! It is asked with what the client sent and who the client is (`question.rs`), and what its answer means is in `answer.rs`.
//! Whatever goes wrong on the way, the request does not pass.

mod answer;
mod question;

use http::{HeaderMap, Request};

use crate::policy::InvalidPolicy;
use crate::policy::forward_auth::answer::Reading;
use crate::policy::forward_auth::question::Question;
use crate::policy::passage::Asked;
use crate::proxy::{Cause, Exchange, NotKept, Patience, RequestBody, Service, Unanswered};

pub(super) use crate::policy::forward_auth::answer::Cookies;

/// A service that decides.
pub(super) struct ForwardAuth {
    service: Service,
    question: Question,
    reading: Reading,
    // How many bytes of the request's body it gets, if any.
    body_bytes: Option<u64>,
    patience: Patience,
}

impl ForwardAuth {
    pub(super) fn new(auth: &sluice_proto::ForwardAuth) -> Result<Self, InvalidPolicy> {
        let service = Service::new(&auth.url, &auth.tls)?;
        Ok(Self {
            question: Question::new(auth, &service)?,
            reading: Reading::new(auth)?,
            service,
            body_bytes: auth.body_bytes,
            patience: Patience {
                time: auth.timeout,
                bytes: usize::try_from(auth.response_bytes).unwrap_or(usize::MAX),
            },
        })
    }

    /// Lets the requests pass that the service lets pass; returns the cookies that the client gets with the response.
    pub(super) async fn admit(
        &self,
        asked: &Asked<'_>,
        exchange: &mut Exchange,
        request: &mut Request<RequestBody>,
    ) -> Result<Cookies, Cause> {
        let body = self.body(request.body_mut()).await?;
        let question = self.question.about(request, body)?;
        let answer = self.service.ask(asked.core, question, &self.patience);
        let answer = answer.await.map_err(cause)?;
        let headers = request.headers_mut();
        self.reading
            .read(answer, &self.service, asked, exchange, headers)
    }

    /// Gives the client these cookies with its response.
    pub(super) fn release(&self, cookies: &Cookies, headers: &mut HeaderMap) {
        self.reading.give(cookies, headers);
    }

    // What the service gets of the request's body, which is kept for the backend.
    async fn body(&self, body: &mut RequestBody) -> Result<RequestBody, Cause> {
        let Some(most) = self.body_bytes else {
            return Ok(RequestBody::Empty);
        };
        let kept = body.read(most).await;
        kept.map_err(|not| match not {
            NotKept::TooLarge => Cause::AuthBodyTooLarge,
            NotKept::Failed(cause) => cause,
        })?;
        // It was kept: nobody gets less of it than the other.
        body.again().ok_or(Cause::AuthBodyTooLarge)
    }
}

fn cause(unanswered: Unanswered) -> Cause {
    match unanswered {
        Unanswered::Busy => Cause::AuthBusy,
        Unanswered::Late => Cause::AuthTimeout,
        Unanswered::Broken => Cause::AuthBroken,
        Unanswered::TooLarge => Cause::AuthAnswerTooLarge,
        Unanswered::Unreachable(cause) => match cause {
            Cause::AddressProhibited => Cause::AuthProhibited,
            Cause::NameUnresolved => Cause::AuthUnresolved,
            Cause::TlsFailed => Cause::AuthUntrusted,
            Cause::ConnectTimeout => Cause::AuthTimeout,
            Cause::TooManyConnections => Cause::AuthBusy,
            _ => Cause::AuthUnreachable,
        },
    }
}
