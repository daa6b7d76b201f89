//! Basic authentication (RFC 7617): a user name and a password that hashes to what the policy holds.
//!
//! Hashes are slow on purpose, so a core never computes one: `checkers.rs` does, and what was right a moment ago is
//! remembered. (`{SHA}` is one step of what others do thousands of times, and is computed at once.) An unknown user costs the
//! same time as a known one.

mod checkers;
mod hash;

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::policy::InvalidPolicy;
use crate::policy::basic_auth::checkers::{Busy, Remembered};
use crate::policy::basic_auth::hash::Hash;
use crate::policy::header_rules::header_name;
use crate::policy::passage::Asked;
use crate::proxy::{Cause, Exchange, read_alike, remove_named};

pub(crate) use crate::policy::basic_auth::checkers::Checkers;

/// Who may pass, by name and password.
pub(super) struct BasicAuth {
    // As `WWW-Authenticate` shows it.
    challenge: HeaderValue,
    users: Arc<Users>,
    remembered: Arc<Remembered>,
    remove_authorization: bool,
    user_header: Option<HeaderName>,
}

/// The users and their hashes, in the order in which they are written: the last one of a name counts.
struct Users {
    hashes: Vec<(String, Hash)>,
    // What an unknown user's password is compared with: as slow as a known one's.
    dummy: Hash,
    // Whether none of them takes longer than what else is done for a request.
    are_cheap: bool,
}

impl BasicAuth {
    pub(super) fn new(auth: &sluice_proto::BasicAuth) -> Result<Self, InvalidPolicy> {
        let mut hashes = Vec::new();
        for credential in &auth.credentials {
            let hash = Hash::parse(&credential.hash)
                .ok_or_else(|| InvalidPolicy::Hash(credential.user.clone()))?;
            hashes.push((credential.user.clone(), hash));
        }
        let dummy = hashes.first().map(|(_, hash)| hash.clone());
        let dummy = dummy.ok_or(InvalidPolicy::NoUser)?;
        let realm: String = (auth.realm.chars())
            .filter(|character| !character.is_control() && !matches!(character, '"' | '\\'))
            .collect();
        let challenge = format!("Basic realm=\"{realm}\"");
        Ok(Self {
            challenge: HeaderValue::from_str(&challenge)
                .map_err(|_| InvalidPolicy::HeaderValue(challenge))?,
            users: Arc::new(Users {
                are_cheap: hashes.iter().all(|(_, hash)| hash.is_cheap()),
                hashes,
                dummy,
            }),
            // Whoever is no user any more is not remembered: a new version remembers nobody.
            remembered: Arc::default(),
            remove_authorization: auth.remove_authorization,
            user_header: auth.user_header.as_deref().map(header_name).transpose()?,
        })
    }

    /// Lets whoever knows a password pass.
    pub(super) async fn admit(
        &self,
        asked: &Asked<'_>,
        exchange: &mut Exchange,
        headers: &mut HeaderMap,
    ) -> Result<(), Cause> {
        let Some((user, password)) = credentials(headers) else {
            return Err(Cause::CredentialsMissing(self.challenge.clone()));
        };
        if !self.is_right(asked, &user, password).await? {
            return Err(Cause::CredentialsWrong(self.challenge.clone()));
        }
        if self.remove_authorization {
            headers.remove(AUTHORIZATION);
        }
        if let Some(name) = &self.user_header {
            let value = HeaderValue::from_str(&user)
                .map_err(|_| Cause::CredentialsWrong(self.challenge.clone()))?;
            // No other spelling of it may say who the user is.
            remove_named(headers, |other| read_alike(other.as_str(), name.as_str()));
            headers.insert(name, value);
        }
        exchange.name_user(user);
        Ok(())
    }

    async fn is_right(
        &self,
        asked: &Asked<'_>,
        user: &str,
        password: Vec<u8>,
    ) -> Result<bool, Cause> {
        if let Some(known) = self.remembered.find(user, &password) {
            return Ok(known);
        }
        if self.users.are_cheap {
            return Ok(self.users.has(user, &password));
        }
        let (users, name) = (Arc::clone(&self.users), user.to_owned());
        let checkers = &asked.core.shared.checkers;
        let client = asked.client.address;
        let checked = checkers.check(&self.remembered, client, user, password, move |password| {
            users.has(&name, password)
        });
        checked.await.map_err(|Busy| Cause::CredentialsBusy)
    }
}

impl Users {
    fn has(&self, user: &str, password: &[u8]) -> bool {
        let known = self.hashes.iter().rev().find(|(name, _)| name == user);
        match known {
            Some((_, hash)) => hash.is_of(password),
            None => {
                let _ = self.dummy.is_of(password);
                false
            }
        }
    }
}

/// Returns the user's name and password. "The user-id and password MUST NOT contain any control characters", and "a user-id
/// containing a colon character is invalid".
fn credentials(headers: &HeaderMap) -> Option<(String, Vec<u8>)> {
    let value = headers.get(AUTHORIZATION)?.as_bytes();
    let (scheme, encoded) = value.split_at_checked(SCHEME.len())?;
    if !scheme.eq_ignore_ascii_case(SCHEME) {
        return None;
    }
    let decoded = STANDARD.decode(encoded.trim_ascii()).ok()?;
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    let user = String::from_utf8(decoded[..colon].to_vec()).ok()?;
    Some((user, decoded[colon + 1..].to_vec()))
}

const SCHEME: &[u8] = b"basic ";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_found_in_any_case_and_only_whole() {
        let of = |value: &str| {
            let value = HeaderValue::from_str(value).unwrap();
            credentials(&HeaderMap::from_iter([(AUTHORIZATION, value)]))
        };
        let expected = Some(("Aladdin".to_owned(), b"open sesame".to_vec()));
        assert_eq!(of("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), expected);
        assert_eq!(of("bASIC  QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), expected);
        // "user:pass:word": only the first colon ends the name.
        let several = Some(("user".to_owned(), b"pass:word".to_vec()));
        assert_eq!(of("Basic dXNlcjpwYXNzOndvcmQ="), several);
        for wrong in [
            "Basic",
            "Basic !",
            "Bearer QWxhZGRpbjpvcGVu",
            "Basic bm9jb2xvbg==",
        ] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
    }
}
