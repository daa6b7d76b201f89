//! User names, and hashes of passwords as `htpasswd` writes them.
//!
//! It does not check a password. Hashes are only looked at for their form, so that what data planes cannot use is a problem
//! of the Secret.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::api::core::v1::Secret;
use sha1::{Digest, Sha1};
use sluice_proto::Credential;

use crate::secret::{Malformed, only, value};

/// Returns the credentials of a Secret, sorted by user; of two for one user the last counts.
pub(super) fn credentials(secret: &Secret) -> Result<Vec<Credential>, Malformed> {
    if secret.type_.as_deref() == Some("kubernetes.io/basic-auth") {
        return Ok(vec![in_clear(secret)?]);
    }
    let (key, value) =
        only(secret).ok_or_else(|| Malformed::new("", "it does not have exactly one key"))?;
    let malformed = |reason: String| Malformed::new(key.to_owned(), reason);
    let text = str::from_utf8(value).map_err(|_| malformed("it is no text".to_owned()))?;
    let mut users = BTreeMap::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let wrong = |reason: &str| malformed(format!("line {} {reason}", index + 1));
        let (user, hash) = line.split_once(':').ok_or_else(|| wrong("has no colon"))?;
        if user.is_empty() {
            return Err(wrong("names no user"));
        }
        if let Err(reason) = check(hash) {
            return Err(wrong(reason));
        }
        users.insert(user.to_owned(), hash.to_owned());
    }
    if users.is_empty() {
        return Err(malformed("it names no user".to_owned()));
    }
    let credentials = users
        .into_iter()
        .map(|(user, hash)| Credential { user, hash });
    Ok(credentials.collect())
}

/// Returns the credential of a Secret that has a password in clear.
///
/// It is hashed, so that no data plane has it, as {SHA}: as Traefik does it, and the one form that needs no salt. All
/// replicas must make the same of it, and a salt that follows from the password would add nothing. A hash that costs time
/// protects a password only from whoever has the hash and not the Secret.
fn in_clear(secret: &Secret) -> Result<Credential, Malformed> {
    let user = value(secret, "username")?;
    let user = str::from_utf8(user).map_err(|_| Malformed::new("username", "it is no text"))?;
    // "The user-id ... cannot include a colon" (RFC 7617, section 2).
    if user.contains(|character: char| character == ':' || character.is_control()) {
        return Err(Malformed::new(
            "username",
            "it has a colon or a control character",
        ));
    }
    let password = value(secret, "password")?;
    Ok(Credential {
        user: user.to_owned(),
        hash: format!("{{SHA}}{}", STANDARD.encode(Sha1::digest(password))),
    })
}

/// Returns why data planes cannot use a hash, if they cannot.
fn check(hash: &str) -> Result<(), &'static str> {
    let crypt = |text: &str| {
        text.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"./".contains(&byte))
    };
    let known = |is_known: bool| is_known.then_some(()).ok_or(UNKNOWN);
    if let Some(digest) = hash.strip_prefix("{SHA}") {
        let digest = STANDARD.decode(digest);
        return known(digest.is_ok_and(|digest| digest.len() == 20));
    }
    if let Some(rest) = hash.strip_prefix("$apr1$") {
        return known(rest.split_once('$').is_some_and(|(salt, digest)| {
            (1..=8).contains(&salt.len()) && crypt(salt) && digest.len() == 22 && crypt(digest)
        }));
    }
    let bcrypt = ["$2a$", "$2b$", "$2x$", "$2y$"]
        .iter()
        .find_map(|version| hash.strip_prefix(version));
    let (cost, _) = bcrypt
        .and_then(|rest| rest.split_once('$'))
        .filter(|(cost, rest)| cost.len() == 2 && rest.len() == 53 && crypt(rest))
        .ok_or(UNKNOWN)?;
    match cost.parse::<u32>() {
        Ok(4..=Credential::MOST_BCRYPT_COST) => Ok(()),
        Ok(15..=31) => Err("has a bcrypt hash of a cost above 14, which takes seconds to check"),
        _ => Err(UNKNOWN),
    }
}

const UNKNOWN: &str = "has neither a bcrypt nor an apr1 nor a {SHA} hash";

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn hashes_are_those_of_htpasswd() {
        for (hash, expected) in [
            ("{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", true),
            ("{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9", false),
            ("$apr1$H6uskkkW$IgXLP6ewTrSuBkTrqE8wj/", true),
            ("$apr1$H6uskkkW$IgXLP6ewTrSuBkTrqE8wj", false),
            ("$apr1$H6usk!kW$IgXLP6ewTrSuBkTrqE8wj/", false),
            (
                "$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC",
                true,
            ),
            (
                "$2y$03$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC",
                false,
            ),
            (
                "$2y$15$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC",
                false,
            ),
            (
                "$2z$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC",
                false,
            ),
            ("rqXexS6ZhobKA", false),
            ("password", false),
            ("", false),
        ] {
            assert_eq!(check(hash).is_ok(), expected, "{hash}");
        }
    }

    #[test]
    fn a_password_in_clear_is_hashed() {
        let secret = |user: &str| Secret {
            type_: Some("kubernetes.io/basic-auth".to_owned()),
            string_data: Some(BTreeMap::from([
                ("username".to_owned(), user.to_owned()),
                ("password".to_owned(), "password".to_owned()),
            ])),
            ..Secret::default()
        };
        // As `htpasswd -bns admin password` has it.
        let expected = Credential {
            user: "admin".to_owned(),
            hash: "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=".to_owned(),
        };
        assert_eq!(credentials(&secret("admin")).unwrap(), [expected]);
        assert!(credentials(&secret("a:b")).is_err());
        assert!(credentials(&secret("")).is_err());
    }
}
