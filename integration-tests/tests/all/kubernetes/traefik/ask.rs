//! Sends the requests of a row to one of the two, each on a connection of its own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::ensure;
use bytes::Bytes;
use futures_util::future::{join, join_all};
use http::HeaderValue;
use http::header::{COOKIE, HOST, SET_COOKIE};
use http_body_util::Full;
use rustls::ClientConfig;
use sluice_integration_tests::certificates::{Authority, Issued};
use sluice_integration_tests::client::{Answer, ClientError, Connection, Destination, get};
use sluice_integration_tests::echo::SEQUENCE_HEADER;
use sluice_integration_tests::wait;
use tokio::time::timeout;

use super::request::{Request, Tls};
use super::row::Row;
use super::stage::Stage;

/// One of the two.
#[derive(Clone, Copy, Debug)]
pub(super) struct Side {
    pub(super) name: &'static str,
    pub(super) http: SocketAddr,
    pub(super) https: SocketAddr,
}

/// How clients speak TLS.
#[derive(Clone, Debug)]
pub(super) struct Clients {
    ordinary: Arc<ClientConfig>,
    version12: Arc<ClientConfig>,
    with_certificate: Arc<ClientConfig>,
    with_certificate_of_others: Arc<ClientConfig>,
}

/// What came back.
#[derive(Clone, Debug)]
pub(super) enum Outcome {
    Answer(Box<Answer>),
    /// No answer, for this kind of reason.
    None(String),
}

/// Asks all of a row.
pub(super) async fn ask(side: Side, clients: &Clients, row: &Row) -> Vec<Outcome> {
    let sequence = format!("{} {}", side.name, row.name);
    if row.at_once {
        return at_once(side, clients, row, &sequence).await;
    }
    let (mut cookies, mut outcomes) = (Vec::new(), Vec::new());
    for request in &row.requests {
        let outcome = one(side, clients, request, &sequence, &cookies).await;
        if let (true, Outcome::Answer(answer)) = (row.keeps_cookies, &outcome) {
            cookies.extend(set_by(answer));
        }
        outcomes.push(outcome);
    }
    outcomes
}

impl Clients {
    /// Those who trust this authority. One of them has a certificate of its, another one of nobody's.
    pub(super) fn of(authority: &Authority) -> anyhow::Result<Self> {
        let client =
            |versions, own: Option<&Issued>| authority.client(&["http/1.1"], versions, own);
        let issued = authority.issue(&["client.test"])?;
        let strange = Authority::create()?.issue(&["client.test"])?;
        Ok(Self {
            ordinary: client(rustls::DEFAULT_VERSIONS, None)?,
            version12: client(&[&rustls::version::TLS12], None)?,
            with_certificate: client(rustls::DEFAULT_VERSIONS, Some(&issued))?,
            with_certificate_of_others: client(rustls::DEFAULT_VERSIONS, Some(&strange))?,
        })
    }

    fn config(&self, tls: Tls) -> Option<Arc<ClientConfig>> {
        match tls {
            Tls::No => None,
            Tls::Yes => Some(Arc::clone(&self.ordinary)),
            Tls::Version12 => Some(Arc::clone(&self.version12)),
            Tls::WithCertificate => Some(Arc::clone(&self.with_certificate)),
            Tls::WithCertificateOfOthers => Some(Arc::clone(&self.with_certificate_of_others)),
        }
    }
}

/// Sends all, waits until each is answered or held by the backend, and only then has the backend let go.
async fn at_once(side: Side, clients: &Clients, row: &Row, sequence: &str) -> Vec<Outcome> {
    let answered = AtomicUsize::new(0);
    let all = join_all(row.requests.iter().map(async |request| {
        let outcome = one(side, clients, request, sequence, &[]).await;
        answered.fetch_add(1, Ordering::Relaxed);
        outcome
    }));
    let all_known = async || {
        let held: usize = tell_backend("/held", sequence).await?.parse()?;
        let known = held + answered.load(Ordering::Relaxed);
        ensure!(known == row.requests.len(), "only {known} are");
        anyhow::Ok(())
    };
    let let_go = async {
        // If some never come, they are seen to have no answer.
        let _ = wait::until("all to be answered or held", LIMIT / 2, all_known).await;
        let _ = tell_backend("/let-go", sequence).await;
    };
    join(all, let_go).await.0
}

/// Asks the backend itself about the requests of a sequence.
async fn tell_backend(path: &str, sequence: &str) -> anyhow::Result<String> {
    let destination = Destination {
        address: Stage::BACKEND,
        tls: None,
        host: "backend.test".to_owned(),
        path: path.to_owned(),
    };
    let mut request = get(&destination, true)?;
    let value = HeaderValue::try_from(sequence)?;
    request.headers_mut().insert(SEQUENCE_HEADER, value);
    let answer = Connection::open(&destination).await?.send(request).await?;
    Ok(String::from_utf8(answer.body.to_vec())?)
}

async fn one(
    side: Side,
    clients: &Clients,
    request: &Request,
    sequence: &str,
    cookies: &[String],
) -> Outcome {
    match timeout(LIMIT, send(side, clients, request, sequence, cookies)).await {
        Ok(Ok(answer)) => Outcome::Answer(Box::new(answer)),
        // Its kind alone: the two word their alerts differently.
        Ok(Err(error)) => Outcome::None(error.to_string()),
        Err(_) => Outcome::None(format!("no answer within {LIMIT:?}")),
    }
}

async fn send(
    side: Side,
    clients: &Clients,
    request: &Request,
    sequence: &str,
    cookies: &[String],
) -> Result<Answer, ClientError> {
    let tls = clients.config(request.tls);
    let destination = Destination {
        address: if tls.is_some() { side.https } else { side.http },
        tls,
        host: request.host.to_owned(),
        path: request.path.to_owned(),
    };
    let mut connection = Connection::open_from(request.from.address(), &destination).await?;
    let mut built = http::Request::builder()
        .method(&request.method)
        .uri(request.path)
        .header(HOST, request.host);
    for (name, value) in &request.headers {
        built = built.header(*name, value);
    }
    if !cookies.is_empty() {
        built = built.header(COOKIE, cookies.join("; "));
    }
    if ["fail=", "hold"]
        .iter()
        .any(|wish| request.path.contains(wish))
    {
        built = built.header(SEQUENCE_HEADER, sequence);
    }
    let body = Full::from(Bytes::from(vec![b'x'; request.body]));
    connection.send(built.body(body)?).await
}

/// The cookies that an answer sets, as they are sent back.
fn set_by(answer: &Answer) -> Vec<String> {
    let values = answer.headers.get_all(SET_COOKIE).iter();
    values
        .filter_map(|value| value.to_str().ok()?.split(';').next().map(str::to_owned))
        .collect()
}

const LIMIT: Duration = Duration::from_secs(20);
