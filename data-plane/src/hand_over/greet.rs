//! How two processes of a node prove to each other that they belong to one installation. Whoever fails gets nothing, and is
//! not waited for.

use std::time::Duration;

use bytes::Bytes;
use prost::Message as _;
use tokio::time::error::Elapsed;
use tokio::time::timeout;

use crate::hand_over::SILENCE;
use crate::hand_over::authentication::{End, Nonce, Nonces, Secret, nonce};
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
    #[error("it does not know the seal key of this installation")]
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
    secret: &Secret,
    own: &Greeting,
) -> Result<Greeting, Failure> {
    let greeting = timeout(PATIENCE, async {
        let successor = nonce().map_err(|_| Failure::Randomness)?;
        let hello = Hello {
            nonce: Bytes::copy_from_slice(&successor),
        };
        channel.send(Body::Hello(hello)).await?;
        let Body::Challenge(challenge) = channel.receive().await? else {
            return Err(Failure::Order);
        };
        let nonces = Nonces {
            predecessor: nonce_of(&challenge.nonce)?,
            successor,
        };
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
    secret: &Secret,
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
        let greeting = own.encode_to_vec();
        let challenge = Challenge {
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

    fn greeting(instance: &str) -> Greeting {
        Greeting {
            instance: instance.to_owned(),
            ..Greeting::default()
        }
    }

    async fn both(predecessor: Secret, successor: Secret) -> [Result<Greeting, Failure>; 2] {
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
        let secret = || Secret::derive(&[1; 32], "a");
        let [successor, predecessor] = both(secret(), secret()).await.map(Result::unwrap);
        assert_eq!(
            (&*successor.instance, &*predecessor.instance),
            ("new", "old")
        );
    }

    #[tokio::test]
    async fn a_stranger_is_refused_by_both() {
        let [one, other] = both(Secret::derive(&[1; 32], "a"), Secret::derive(&[2; 32], "a")).await;
        // The successor leaves before it says who it is.
        assert!(matches!(one, Err(Failure::Broken(Broken::Closed))));
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
        let refused = greet_successor(&mut channel, &secret, &greeting("old")).await;
        assert!(matches!(refused, Err(Failure::Unproved)));
    }

    #[tokio::test]
    async fn who_says_nothing_is_not_waited_for() {
        let (one, _other) = UnixStream::pair().unwrap();
        let mut channel = Channel::new(one);
        let secret = Secret::derive(&[1; 32], "a");
        let refused = greet_successor(&mut channel, &secret, &greeting("old")).await;
        assert!(matches!(refused, Err(Failure::Silent(_))));
    }
}
