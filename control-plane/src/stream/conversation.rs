//! One data plane's stream: feeds the session what comes and what is published, and hands out what it says.
//!
//! It decides nothing: [`Session`] does, and [`Guide`] whether the data plane belongs here. It runs only while the HTTP/2
//! connection asks for the next message, so it needs no task and no queue of its own, it ends with its connection, and a
//! data plane that does not read delays nobody else.

use std::collections::VecDeque;
use std::future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::Stream;
use futures_util::stream::unfold;
use prost::Message as _;
use sluice_proto::wire::control_plane_message::Message as Answer;
use sluice_proto::wire::data_plane_message::Message;
use sluice_proto::{Holdings, wire};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};

use crate::leadership::Leadership;
use crate::metrics::Metrics;
use crate::publication::{Publications, Publisher};
use crate::stream::guide::{Guide, Turn};
use crate::stream::hello::Introduction;
use crate::stream::registry::{Connected, Registry};
use crate::stream::session::{Messages, Session, Violation};

/// What all streams share.
#[derive(Clone, Debug)]
pub(crate) struct Surroundings {
    pub(crate) publisher: Publisher,
    pub(crate) registry: Registry,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) leadership: watch::Receiver<Leadership>,
    pub(crate) shutdown: CancellationToken,
}

/// One data plane's stream.
pub(crate) struct Conversation {
    inbound: Streaming<wire::DataPlaneMessage>,
    peer: SocketAddr,
    around: Surroundings,
    publications: Publications,
    session: Session,
    guide: Guide,
    connected: Option<Connected>,
    outbox: VecDeque<wire::ControlPlaneMessage>,
    /// Until when it must have said Hello, and something must have been published.
    patience: Instant,
    /// What is in the outbox is the last.
    is_ending: bool,
}

enum Happened {
    Said(Message),
    SaidUnknown,
    Published,
    Led,
    ShutDown,
    Ended(Option<Status>),
}

impl Conversation {
    /// Returns the stream with the data plane at `peer`.
    pub(crate) fn new(
        inbound: Streaming<wire::DataPlaneMessage>,
        peer: SocketAddr,
        around: Surroundings,
    ) -> Self {
        let mut publications = around.publisher.subscribe();
        // What is published already is news to this one.
        publications.mark_changed();
        Self {
            inbound,
            peer,
            around,
            publications,
            session: Session::default(),
            guide: Guide::default(),
            connected: None,
            outbox: VecDeque::new(),
            patience: Instant::now() + HELLO_TIMEOUT,
            is_ending: false,
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
                self.around.metrics.streamed(message.encoded_len());
                return Ok(message);
            }
            if self.is_ending {
                return Err(None);
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
                Happened::Led => {
                    let leadership = self.around.leadership.borrow_and_update().clone();
                    match self.guide.look(&leadership, Instant::now()) {
                        Turn::Serve => Messages::new(),
                        Turn::Redirect(address) => self.send_away(address),
                    }
                }
                Happened::ShutDown => self.shut_down()?,
                Happened::Ended(status) => return Err(status),
            };
            if let Some(connected) = &self.connected {
                connected.progressed(&self.session);
            }
            self.outbox.extend(messages);
        }
    }

    async fn happened(&mut self) -> Happened {
        let is_served = self.connected.is_some();
        let waits_for_publication = is_served
            && self.publications.borrow().is_none()
            && *self.around.leadership.borrow() != Leadership::Alone;
        let patience = (!is_served || waits_for_publication).then_some(self.patience);
        let due = self.guide.due().filter(|_| is_served);
        let leadership = &mut self.around.leadership;
        let led = async {
            if !is_served || leadership.changed().await.is_err() {
                future::pending().await
            }
        };
        tokio::select! {
            () = self.around.shutdown.cancelled() => Happened::ShutDown,
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
            () = led => Happened::Led,
            () = at(due) => Happened::Led,
            () = at(patience) => Happened::Ended(Some(if is_served {
                Status::unavailable("this replica has not read everything yet; another may have")
            } else {
                let seconds = HELLO_TIMEOUT.as_secs();
                Status::deadline_exceeded(format!("no Hello within {seconds} s"))
            })),
        }
    }

    /// Returns the last message to a data plane that belongs elsewhere.
    fn send_away(&mut self, address: String) -> Messages {
        tracing::info!(peer = %self.peer, node = self.node(), to = address,
            "sends a data plane to another replica");
        if let Some(connected) = self.connected.take() {
            connected.sent_away();
        }
        self.is_ending = true;
        vec![wire::ControlPlaneMessage {
            message: Some(Answer::Redirect(wire::Redirect { address })),
        }]
    }

    fn shut_down(&mut self) -> Result<Messages, Option<Status>> {
        let is_alone = *self.around.leadership.borrow() == Leadership::Alone;
        if is_alone || self.connected.is_none() {
            return Err(Some(Status::unavailable(
                "the control plane is shutting down",
            )));
        }
        Ok(self.send_away(String::new()))
    }

    fn hear(&mut self, message: Message) -> Result<Messages, Violation> {
        match message {
            Message::Hello(hello) => {
                let introduction = Introduction::parse(hello)?;
                let messages = self.session.on_hello(&introduction)?;
                let leadership = self.around.leadership.borrow_and_update().clone();
                let unreachable = introduction.leader_unreachable;
                let now = Instant::now();
                match self.guide.on_hello(unreachable, &leadership, now) {
                    Turn::Serve => {
                        self.patience = now + PUBLICATION_TIMEOUT;
                        self.introduce(&introduction);
                        Ok(messages)
                    }
                    Turn::Redirect(address) => Ok(self.send_away(address)),
                }
            }
            Message::Holdings(holdings) => self.session.on_holdings(&Holdings::from(&holdings)),
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
        if !self.around.registry.has_told(node, *generation) {
            self.around.publisher.raise(*generation, *digest);
        }
        tracing::info!(peer = %self.peer, node, instance, generation, "a data plane connected");
        self.connected = Some(self.around.registry.connect(introduction, self.peer));
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

async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => future::pending().await,
    }
}

/// A replica that starts may soon have read everything; if it cannot, another is asked.
const PUBLICATION_TIMEOUT: Duration = Duration::from_secs(5);
const HELLO_TIMEOUT: Duration = Duration::from_secs(10);
