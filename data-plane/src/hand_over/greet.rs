//! How two processes of a node prove to each other that they belong to one installation. Whoever fails gets nothing, and is
//! not waited for.

use std::time::Duration;

use bytes::Bytes;
use prost::Message as _;
use tokio::time::error::Elapsed;
use tokio::time::timeout;

use crate::hand_over::SILENCE;
use crate::hand_over::authentication::{End, Nonce, Nonces, Secrets, nonce};
use crate::hand_over::channel::{Broken, Channel};
use crate::hand_over::message::{Body, Challenge, Greeting, Hello, Proof};

/// Why there is no hand-over with whoever is at the other end.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error(transparent)]
    Broken(#[from] Broken),
    #[error("it says nothing")]
    Silent(#[from] Elapsed),
    #[error("it said nothing for {} s", SILENCE.as_secs())]
    Stopped,
    #[error("it does not know a seal key of this installation that this one knows")]
    Unproved,
    #[error("it says what it may not say at this point")]
    Order,
    #[error("it offers its sockets and does not give them")]
    Withheld,
    #[error("this machine has no randomness to give")]
    Randomness,
}

/// Greets whoever has the sockets; returns its greeting.
pub(super) async fn greet_predecessor(
    channel: &mut Channel,
    secrets: &Secrets,
    own: &Greeting,
) -> Result<Greeting, Failure> {
    let greeting = timeout(PATIENCE, async {
        let successor = nonce().map_err(|_| Failure::Randomness)?;
        let hello = Hello {
            nonce: Bytes::copy_from_slice(&successor),
            keys: secrets.ids(),
        };
        channel.send(Body::Hello(hello)).await?;
        let Body::Challenge(challenge) = channel.receive().await? else {
            return Err(Failure::Order);
        };
        let nonces = Nonces {
            predecessor: nonce_of(&challenge.nonce)?,
            successor,
        };
        let secret = secrets.of_ids(&[challenge.key]).ok_or(Failure::Unproved)?;
        if !secret.is_proved(
            End::Predecessor,
            &nonces,
            &challenge.greeting,
            &challenge.proof,
        ) {
            return Err(Failure::Unproved);
        }
        let greeting = own.encode_to_vec();
        let proof = secret.prove(End::Successor, &nonces, &greeting);
        let proof = Proof {
            greeting: greeting.into(),
            proof: proof.into(),
        };
        channel.send(Body::Proof(proof)).await?;
        Greeting::decode(challenge.greeting).map_err(|_| Failure::Order)
    });
    let greeting = greeting.await??;
    channel.trust();
    Ok(greeting)
}

/// Greets one that wants the sockets; returns its greeting.
pub(super) async fn greet_successor(
    channel: &mut Channel,
    secrets: &Secrets,
    own: &Greeting,
) -> Result<Greeting, Failure> {
    let greeting = timeout(PATIENCE, async {
        let Body::Hello(hello) = channel.receive().await? else {
            return Err(Failure::Order);
        };
        let nonces = Nonces {
            predecessor: nonce().map_err(|_| Failure::Randomness)?,
            successor: nonce_of(&hello.nonce)?,
        };
        let Some(secret) = secrets.of_ids(&hello.keys) else {
            // It is not told who is here, but does not have to guess why it gets nothing.
            channel
                .send(Body::Challenge(Challenge {
                    nonce: Bytes::copy_from_slice(&nonces.predecessor),
                    ..Challenge::default()
                }))
                .await?;
            return Err(Failure::Unproved);
        };
        let greeting = own.encode_to_vec();
        let challenge = Challenge {
            key: secret.id(),
            nonce: Bytes::copy_from_slice(&nonces.predecessor),
            proof: secret.prove(End::Predecessor, &nonces, &greeting).into(),
            greeting: greeting.into(),
        };
        channel.send(Body::Challenge(challenge)).await?;
        let Body::Proof(proof) = channel.receive().await? else {
            return Err(Failure::Order);
        };
        if !secret.is_proved(End::Successor, &nonces, &proof.greeting, &proof.proof) {
            return Err(Failure::Unproved);
        }
        Greeting::decode(proof.greeting).map_err(|_| Failure::Order)
    });
    let greeting = greeting.await??;
    channel.trust();
    Ok(greeting)
}

fn nonce_of(bytes: &[u8]) -> Result<Nonce, Failure> {
    Nonce::try_from(bytes).map_err(|_| Failure::Order)
}

/// How long all of it may take: it is a few microseconds' work.
const PATIENCE: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;
    use tokio::net::UnixStream;

    use super::*;
    use crate::hand_over::authentication::Secret;
    use crate::identity::SealKeys;

    fn secrets(current: u8, previous: Option<u8>) -> Secrets {
        let keys = SealKeys {
            current: [current; 32],
            previous: previous.map(|previous| [previous; 32]),
        };
        Secrets::derive(&keys, "a")
    }

    fn greeting(instance: &str) -> Greeting {
        Greeting {
            instance: instance.to_owned(),
            ..Greeting::default()
        }
    }

    async fn both(predecessor: Secrets, successor: Secrets) -> [Result<Greeting, Failure>; 2] {
        let (one, other) = UnixStream::pair().unwrap();
        let first = async {
            let mut channel = Channel::new(one);
            greet_successor(&mut channel, &predecessor, &greeting("old")).await
        };
        let second = async {
            let mut channel = Channel::new(other);
            greet_predecessor(&mut channel, &successor, &greeting("new")).await
        };
        let (first, second) = tokio::join!(first, second);
        [first, second]
    }

    #[tokio::test]
    async fn two_of_one_installation_know_each_other() {
        // The same key; either end has one that the other does not know.
        for (old, new) in [
            (secrets(1, None), secrets(1, None)),
            (secrets(2, Some(1)), secrets(1, None)),
            (secrets(1, None), secrets(2, Some(1))),
        ] {
            let [successor, predecessor] = both(old, new).await.map(Result::unwrap);
            assert_eq!(
                (&*successor.instance, &*predecessor.instance),
                ("new", "old")
            );
        }
    }

    #[tokio::test]
    async fn a_stranger_is_refused_by_both() {
        let [one, other] = both(secrets(1, None), secrets(2, None)).await;
        assert!(matches!(one, Err(Failure::Unproved)));
        assert!(matches!(other, Err(Failure::Unproved)));
    }

    #[tokio::test]
    async fn a_recorded_greeting_is_refused() {
        let secret = Secret::derive(&[1; 32], "a");
        let nonces = Nonces {
            predecessor: [3; 32],
            successor: [4; 32],
        };
        let recorded = greeting("new").encode_to_vec();
        let proof = secret.prove(End::Successor, &nonces, &recorded);
        let (one, mut other) = UnixStream::pair().unwrap();
        let hello = Hello {
            nonce: Bytes::from_static(&[4; 32]),
            keys: vec![secret.id()],
        };
        other
            .write_all(&Body::Hello(hello).into_bytes())
            .await
            .unwrap();
        let proof = Proof {
            greeting: recorded.into(),
            proof: proof.into(),
        };
        other
            .write_all(&Body::Proof(proof).into_bytes())
            .await
            .unwrap();
        let mut channel = Channel::new(one);
        let refused = greet_successor(&mut channel, &secrets(1, None), &greeting("old")).await;
        assert!(matches!(refused, Err(Failure::Unproved)));
    }

    #[tokio::test]
    async fn who_says_nothing_is_not_waited_for() {
        let (one, _other) = UnixStream::pair().unwrap();
        let mut channel = Channel::new(one);
        let refused = greet_successor(&mut channel, &secrets(1, None), &greeting("old")).await;
        assert!(matches!(refused, Err(Failure::Silent(_))));
    }
}
