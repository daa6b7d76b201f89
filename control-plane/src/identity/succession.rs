//! Which authority signs, which will, and which did: one follows the other without locking anybody out.
//!
//! ```text
//!                 begin                 after the overlap               long after
//! signs           A            A        B                               B
//! trusted         A            A B      B A                             B
//! ```
//!
//! Both planes trust every authority of the bundle. The next one is made and trusted first, and signs only when its
//! certificate has been with the data planes for the overlap: then whoever still shows or trusts what was before is trusted
//! and trusts what is now. That one took over is known from the files alone, so whichever control plane looks next carries
//! it on. Those before stay trusted, unless it is asked that they do not (`distrust.rs`). The overlap is counted from the write that gave the data planes the bundle, in that very write: a control plane
//! that dies between two writes does not shorten it.

use std::time::Duration;

use jiff::Timestamp;
use rcgen::KeyPair;

use crate::identity::authority::{Authority, make_error};
use crate::identity::content::Content;
use crate::identity::distrust;
use crate::identity::error::IdentityError;
use crate::identity::pem::{Certificate, Pair};

/// The authorities that are trusted.
pub(crate) struct Authorities {
    /// The one that signs.
    pub(crate) current: Authority,
    /// The one that will sign.
    pub(crate) next: Option<Next>,
    /// Those that signed, the last first.
    previous: Vec<Certificate>,
    /// Until when those are trusted, if not until they end.
    pub(crate) previous_until: Option<Timestamp>,
}

/// The authority that will sign.
pub(crate) struct Next {
    pub(crate) certificate: Certificate,
    pub(crate) signs_after: Timestamp,
}

impl Authorities {
    /// Returns the authorities; makes what is missing, and takes the steps that are due.
    pub(crate) fn establish(content: &mut Content, now: Timestamp) -> Result<Self, IdentityError> {
        let mut current = settle_current(content, now)?;
        if current.certificate.lifetime.is_due(now) {
            begin(content, now, OVERLAP)?;
        }
        let mut next = settle_next(content, &current.certificate, now)?;
        if let Some(waiting) = &next
            && may_sign(content, waiting, &current.certificate, now)?
        {
            current = take_over(content, current, now)?;
            next = None;
        }
        let previous = settle_previous(content, &current.certificate, now)?;
        let mut authorities = Self {
            current,
            next: None,
            previous,
            previous_until: distrust::until(content)?,
        };
        authorities.next = authorities.spread(next, content, now)?;
        Ok(authorities)
    }

    /// Returns what both planes trust, the one that signs first.
    pub(crate) fn trusted(&self) -> impl Iterator<Item = &Certificate> {
        let next = self.next.iter().map(|next| &next.certificate);
        let current = std::iter::once(&self.current.certificate);
        current.chain(next).chain(&self.previous)
    }

    /// Gives data planes what they are to trust, and counts the overlap from then on.
    fn spread(
        &self,
        next: Option<Certificate>,
        content: &mut Content,
        now: Timestamp,
    ) -> Result<Option<Next>, IdentityError> {
        let since = match &next {
            Some(next) if is_spread(content, next) => signs_after(content)?,
            _ => None,
        };
        let current = std::iter::once(&self.current.certificate);
        let bundle = current.chain(&next).chain(&self.previous);
        let bundle = bundle.map(Certificate::to_pem).collect();
        content.write(BUNDLE, bundle);
        let Some(certificate) = next else {
            content.remove(SIGNS_AFTER);
            return Ok(None);
        };
        let signs_after = match since {
            Some(signs_after) => signs_after,
            None => now.saturating_add(overlap(content)?).unwrap_or(now),
        };
        content.write(SIGNS_AFTER, format!("{signs_after}\n"));
        Ok(Some(Next {
            certificate,
            signs_after,
        }))
    }
}

/// Makes the next authority, if there is none; it signs after this overlap.
pub(crate) fn begin(
    content: &mut Content,
    now: Timestamp,
    overlap: Duration,
) -> Result<(), IdentityError> {
    if content.read(NEXT.certificate)?.is_some() {
        return Ok(());
    }
    // First, so that it is there when the authority is.
    content.write(OVERLAP_SECONDS, format!("{}\n", overlap.as_secs()));
    let key = KeyPair::generate().map_err(make_error)?;
    Authority::make(NEXT, key, content, now)?;
    let place = content.place(NEXT.certificate);
    content.note(format!(
        "made the next authority in {place}: it is trusted from now on, and signs in {} seconds",
        overlap.as_secs()
    ));
    Ok(())
}

fn settle_current(content: &mut Content, now: Timestamp) -> Result<Authority, IdentityError> {
    let found = CURRENT.read(content)?;
    let (certificate, key) = match (found.certificate, found.key) {
        (Some(certificate), Some(key)) => (certificate, key),
        (Some(_), None) => {
            return Err(IdentityError::AuthorityKeyMissing {
                place: content.place(CURRENT.key),
            });
        }
        (None, key) => {
            let key = match key {
                Some(key) => key,
                None => KeyPair::generate().map_err(make_error)?,
            };
            let place = content.place(CURRENT.certificate);
            content.note(format!("made the certificate of the authority in {place}"));
            return Authority::make(CURRENT, key, content, now);
        }
    };
    if !certificate.is_authority() {
        let reason = "its certificate is not that of an authority";
        return Err(content.malformed(CURRENT.certificate, reason));
    }
    if certificate.has_key(&key) {
        return Authority::of(certificate, key);
    }
    // In a folder, a take-over may have broken off between the two files.
    if let (Some(next), Some(text)) = (NEXT.read(content)?.key, content.read(NEXT.key)?)
        && certificate.has_key(&next)
    {
        content.write(CURRENT.key, text);
        return Authority::of(certificate, next);
    }
    let reason = "it does not belong to the certificate in ca.crt beside it";
    Err(content.malformed(CURRENT.key, reason))
}

fn settle_next(
    content: &mut Content,
    current: &Certificate,
    now: Timestamp,
) -> Result<Option<Certificate>, IdentityError> {
    let found = NEXT.read(content)?;
    let (certificate, key) = match (found.certificate, found.key) {
        (Some(certificate), Some(key)) => (certificate, key),
        (Some(_), None) => {
            let reason = "the key next-ca.key is missing beside it";
            return Err(content.malformed(NEXT.certificate, reason));
        }
        (None, _) => {
            // A key alone was left by a step that broke off; nobody was told to trust it.
            NEXT.remove(content);
            return Ok(None);
        }
    };
    if !certificate.has_key(&key) {
        let reason = "it does not belong to the certificate in next-ca.crt beside it";
        return Err(content.malformed(NEXT.key, reason));
    }
    if !certificate.is_authority() {
        let reason = "its certificate is not that of an authority";
        return Err(content.malformed(NEXT.certificate, reason));
    }
    // It has taken over already, or nobody looked for years.
    if certificate.der == current.der || certificate.lifetime.not_after <= now {
        NEXT.remove(content);
        content.remove(OVERLAP_SECONDS);
        return Ok(None);
    }
    Ok(Some(certificate))
}

fn may_sign(
    content: &Content,
    next: &Certificate,
    current: &Certificate,
    now: Timestamp,
) -> Result<bool, IdentityError> {
    // Once it has ended, nobody trusts anything that it signed: there is nothing to wait for.
    if current.lifetime.not_after <= now {
        return Ok(true);
    }
    Ok(is_spread(content, next) && signs_after(content)?.is_some_and(|after| after <= now))
}

/// Has the next authority sign. The order leaves something that can be carried on wherever it breaks off.
fn take_over(
    content: &mut Content,
    current: Authority,
    now: Timestamp,
) -> Result<Authority, IdentityError> {
    let mut previous = vec![current.certificate];
    previous.extend(read_previous(content)?);
    write_previous(content, &previous);
    distrust::begin(content, now, overlap(content)?)?;
    for (from, to) in [
        (NEXT.certificate, CURRENT.certificate),
        (NEXT.key, CURRENT.key),
    ] {
        if let Some(text) = content.read(from)? {
            content.write(to, text);
        }
    }
    NEXT.remove(content);
    content.remove(OVERLAP_SECONDS);
    distrust::end(content);
    let place = content.place(CURRENT.certificate);
    content.note(format!(
        "the next authority signs from now on ({place}); the one before is still trusted"
    ));
    settle_current(content, now)
}

fn settle_previous(
    content: &mut Content,
    current: &Certificate,
    now: Timestamp,
) -> Result<Vec<Certificate>, IdentityError> {
    let mut previous = read_previous(content)?;
    previous.retain(|old| old.der != current.der && old.lifetime.not_after > now);
    previous.dedup_by(|second, first| second.der == first.der);
    previous.truncate(MOST_PREVIOUS);
    if distrust::until(content)?.is_some_and(|until| until <= now) && !previous.is_empty() {
        previous.clear();
        content.note("the authorities before the one that signs are trusted no more".to_owned());
    }
    write_previous(content, &previous);
    Ok(previous)
}

fn read_previous(content: &Content) -> Result<Vec<Certificate>, IdentityError> {
    let text = content.read(PREVIOUS)?.unwrap_or_default();
    let parsed = Certificate::parse_all(&text);
    parsed.map_err(|reason| content.malformed(PREVIOUS, reason))
}

fn write_previous(content: &mut Content, previous: &[Certificate]) {
    if previous.is_empty() {
        content.remove(PREVIOUS);
    } else {
        let text = previous.iter().map(Certificate::to_pem).collect();
        content.write(PREVIOUS, text);
    }
}

/// Returns whether data planes were given this authority. What cannot be read there is a copy and is written again.
fn is_spread(content: &Content, authority: &Certificate) -> bool {
    let bundle = content.read(BUNDLE).ok().flatten().unwrap_or_default();
    Certificate::parse_all(&bundle)
        .is_ok_and(|bundle| bundle.iter().any(|trusted| trusted.der == authority.der))
}

fn signs_after(content: &Content) -> Result<Option<Timestamp>, IdentityError> {
    let parsed = content.read(SIGNS_AFTER)?.map(|text| {
        let reason = "it must hold a time such as 2030-01-31T12:00:00Z";
        let parsed = text.trim().parse();
        parsed.map_err(|_| content.malformed(SIGNS_AFTER, reason))
    });
    parsed.transpose()
}

fn overlap(content: &Content) -> Result<Duration, IdentityError> {
    let Some(text) = content.read(OVERLAP_SECONDS)? else {
        return Ok(OVERLAP);
    };
    let reason = "it must hold a number of seconds";
    let seconds = text.trim().parse();
    seconds
        .map(Duration::from_secs)
        .map_err(|_| content.malformed(OVERLAP_SECONDS, reason))
}

/// How long both planes trust the next authority before it signs. A kubelet brings a changed Secret to its pods within
/// about 90 seconds.
pub(crate) const OVERLAP: Duration = Duration::from_secs(600);
pub(crate) const CURRENT: Pair = Pair {
    what: "authority",
    certificate: "control-plane/ca.crt",
    key: "control-plane/ca.key",
};
pub(crate) const NEXT: Pair = Pair {
    what: "next-authority",
    certificate: "control-plane/next-ca.crt",
    key: "control-plane/next-ca.key",
};
const OVERLAP_SECONDS: &str = "control-plane/next-ca.overlap";
const PREVIOUS: &str = "control-plane/previous-ca.crt";
/// With the one that signs and the next, at most four are trusted.
const MOST_PREVIOUS: usize = 2;
/// What data planes trust.
const BUNDLE: &str = "data-plane/ca.crt";
/// When the next authority may sign. It is beside the bundle, because it says since when the bundle is there.
const SIGNS_AFTER: &str = "data-plane/next-ca.after";
