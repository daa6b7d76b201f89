//! One data plane's stream: feeds the session what comes and what is published, and hands out what it says.
//!
//! It decides nothing: [`Session`] does. It runs only while the HTTP/2 connection asks for the next message, so it needs
//! no task and no queue of its own, it ends with its connection, and a data plane that does not read delays nobody else.

use std::collections::VecDeque;
use std::future;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::Stream;
use futures_util::stream::unfold;
use sluice_proto::wire::data_plane_message::Message;
use sluice_proto::{Holdings, wire};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};

use crate::publication::{Publications, Publisher};
use crate::stream::hello::Introduction;
use crate::stream::registry::{Connected, Registry};
use crate::stream::session::{Messages, Session, Violation};

/// One data plane's stream.
pub(crate) struct Conversation {
    inbound: Streaming<wire::DataPlaneMessage>,
    peer: SocketAddr,
    publisher: Publisher,
    publications: Publications,
    registry: Registry,
    shutdown: CancellationToken,
    session: Session,
    connected: Option<Connected>,
    outbox: VecDeque<wire::ControlPlaneMessage>,
    hello_until: Instant,
}

enum Happened {
    Said(Message),
    SaidUnknown,
    Published,
    Ended(Option<Status>),
}

impl Conversation {
    /// Returns the stream with the data plane at `peer`.
    pub(crate) fn new(
        inbound: Streaming<wire::DataPlaneMessage>,
        peer: SocketAddr,
        publisher: Publisher,
        registry: Registry,
        shutdown: CancellationToken,
    ) -> Self {
        let mut publications = publisher.subscribe();
        // What is published already is news to this one.
        publications.mark_changed();
        Self {
            inbound,
            peer,
            publisher,
            publications,
            registry,
            shutdown,
            session: Session::default(),
            connected: None,
            outbox: VecDeque::new(),
            hello_until: Instant::now() + HELLO_TIMEOUT,
        }
    }

    /// Returns what the control plane says, until the stream ends.
    pub(crate) fn into_messages(
        self,
    ) -> impl Stream<Item = Result<wire::ControlPlaneMessage, Status>> + Send {
        unfold(Some(self), async |conversation| {
            let mut conversation = conversation?;
            match conversation.next().await {
                Ok(message) => Some((Ok(message), Some(conversation))),
                Err(Some(status)) => Some((Err(status), None)),
                Err(None) => None,
            }
        })
    }

    /// Returns the next message; as the error, with what the stream ends.
    async fn next(&mut self) -> Result<wire::ControlPlaneMessage, Option<Status>> {
        loop {
            if let Some(message) = self.outbox.pop_front() {
                return Ok(message);
            }
            let messages = match self.happened().await {
                Happened::Said(message) => self.hear(message).map_err(|violation| {
                    tracing::warn!(peer = %self.peer, node = self.node(), %violation,
                        "a data plane broke the protocol; its stream ends");
                    Some(Status::invalid_argument(violation.to_string()))
                })?,
                // Of a later version: passed over, as an unknown field is.
                Happened::SaidUnknown => {
                    tracing::info!(peer = %self.peer, node = self.node(),
                        "a data plane sent a message of a kind that this version does not know");
                    continue;
                }
                Happened::Published => match self.publications.borrow_and_update().clone() {
                    Some(publication) => self.session.on_published(publication),
                    None => Messages::new(),
                },
                Happened::Ended(status) => return Err(status),
            };
            if let Some(connected) = &self.connected {
                connected.progressed(&self.session);
            }
            self.outbox.extend(messages);
        }
    }

    async fn happened(&mut self) -> Happened {
        let hello_until = self.hello_until;
        let is_silent = self.connected.is_none();
        let hello_missing = async {
            if is_silent {
                sleep_until(hello_until).await;
            } else {
                future::pending().await
            }
        };
        tokio::select! {
            () = self.shutdown.cancelled() => {
                Happened::Ended(Some(Status::unavailable("the control plane is shutting down")))
            }
            said = self.inbound.message() => match said {
                Ok(Some(said)) => match said.message {
                    Some(message) => Happened::Said(message),
                    None => Happened::SaidUnknown,
                },
                Ok(None) => Happened::Ended(None),
                Err(status) => Happened::Ended(Some(status)),
            },
            // The publisher outlives its receivers here, so this does not fail.
            _ = self.publications.changed() => Happened::Published,
            () = hello_missing => {
                let seconds = HELLO_TIMEOUT.as_secs();
                Happened::Ended(Some(Status::deadline_exceeded(format!("no Hello within {seconds} s"))))
            }
        }
    }

    fn hear(&mut self, message: Message) -> Result<Messages, Violation> {
        match message {
            Message::Hello(hello) => {
                let introduction = Introduction::parse(hello)?;
                let messages = self.session.on_hello(&introduction)?;
                self.introduce(&introduction);
                Ok(messages)
            }
            Message::Holdings(holdings) => self.session.on_holdings(Holdings::from(&holdings)),
            Message::Ack(ack) => self.session.on_ack(ack.generation),
            Message::Nack(nack) => {
                for refusal in &nack.refused {
                    let key = refusal.key.clone().unwrap_or_default();
                    tracing::warn!(
                        node = self.node(),
                        kind = key.kind,
                        name = key.name,
                        reason = refusal.reason,
                        "a data plane refused a resource"
                    );
                }
                self.session.on_nack(nack)
            }
            Message::Report(report) => {
                let connected = self.connected.as_ref();
                connected
                    .ok_or(Violation::BeforeHello("Report"))?
                    .reported(report);
                Ok(Messages::new())
            }
        }
    }

    fn introduce(&mut self, introduction: &Introduction) {
        let Introduction {
            node,
            instance,
            generation,
            digest,
            ..
        } = introduction;
        // What this control plane has told the node itself may differ by what the node refused.
        if !self.registry.has_told(node, *generation) {
            self.publisher.raise(*generation, *digest);
        }
        tracing::info!(peer = %self.peer, node, instance, generation, "a data plane connected");
        self.connected = Some(self.registry.connect(introduction, self.peer));
    }

    fn node(&self) -> &str {
        self.connected.as_ref().map_or("", Connected::node)
    }
}

impl Drop for Conversation {
    fn drop(&mut self) {
        if self.connected.is_some() {
            tracing::info!(peer = %self.peer, node = self.node(), "a data plane disconnected");
        }
    }
}

const HELLO_TIMEOUT: Duration = Duration::from_secs(10);
