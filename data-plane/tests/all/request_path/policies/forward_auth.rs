//! A service decides whether a request may pass: what it is asked, and what its answer means.

mod answers;
mod failures;
mod questions;
mod tls;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body_util::BodyExt;
use sluice_proto::{ForwardAuth, PolicyAction, UpstreamTls};

use super::*;

/// A service that decides, and what it was asked.
struct Decider {
    service: Backend,
    asked: Arc<Mutex<Vec<Question>>>,
}

/// What it was asked.
#[derive(Debug)]
struct Question {
    line: String,
    headers: HeaderMap,
    body: Bytes,
}

impl Question {
    /// Returns the value of a header; empty if there is none.
    fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().unwrap())
    }
}

impl Decider {
    /// Starts a service that answers so.
    async fn answering(
        answer: impl Fn(&Question) -> Response<Body> + Clone + Send + Sync + 'static,
    ) -> Self {
        let asked = Arc::<Mutex<Vec<Question>>>::default();
        let noted = Arc::clone(&asked);
        let service = Backend::start(move |request| {
            let (noted, answer) = (Arc::clone(&noted), answer.clone());
            async move {
                let line = format!("{} {}", request.method(), request.uri());
                let headers = request.headers().clone();
                let body = request.into_body().collect().await.unwrap().to_bytes();
                let question = Question {
                    line,
                    headers,
                    body,
                };
                let answer = answer(&question);
                noted.lock().unwrap().push(question);
                answer
            }
        })
        .await;
        Self { service, asked }
    }

    /// Starts a service that lets everything pass.
    async fn nodding() -> Self {
        Self::answering(|_| text("yes")).await
    }

    /// Returns the policy that asks it.
    fn policy(&self, change: impl FnOnce(&mut ForwardAuth)) -> PolicyAction {
        asking(self.service.address, change)
    }

    /// Returns what it was asked last.
    fn last(&self) -> Question {
        self.asked.lock().unwrap().pop().expect("it was asked")
    }
}

/// Returns the policy that asks the service there.
fn asking(service: SocketAddr, change: impl FnOnce(&mut ForwardAuth)) -> PolicyAction {
    let mut auth = ForwardAuth {
        url: format!("http://{service}/verify?by=sluice"),
        request_headers: vec![],
        response_headers: vec![],
        response_headers_pattern: None,
        cookies: vec![],
        user_header: None,
        body_bytes: None,
        response_bytes: ForwardAuth::RESPONSE_BYTES,
        keep_location: false,
        keep_method: false,
        sign_in_url: None,
        timeout: Duration::from_secs(3_600),
        tls: UpstreamTls::default(),
    };
    change(&mut auth);
    PolicyAction::ForwardAuth(Box::new(auth))
}

fn answer(status: u16, headers: &[(&str, &str)], body: &'static str) -> Response<Body> {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(full(body)).unwrap()
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}
