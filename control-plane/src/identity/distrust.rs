//! Authorities that are trusted no more although they have not ended: asked for when something that they certified may be in
//! wrong hands.
//!
//! It begins with another authority, as any renewal does ([`succession`](super::succession)). Once that one signs, data
//! planes are given as long again to learn of their new certificates; then those before are forgotten, and streams that were
//! opened with a certificate of theirs are cut ([`accept`](crate::stream)).

use std::time::Duration;

use jiff::Timestamp;

use crate::identity::content::Content;
use crate::identity::error::IdentityError;

/// Notes that whatever signs until the next authority does is not to be trusted after that.
pub(super) fn ask(content: &mut Content) {
    content.write(ASKED, "yes\n".to_owned());
}

/// Notes until when the authorities before are trusted, now that another one signs, if that was asked for.
pub(super) fn begin(
    content: &mut Content,
    now: Timestamp,
    overlap: Duration,
) -> Result<(), IdentityError> {
    if content.read(ASKED)?.is_some() {
        let until = now.saturating_add(overlap).unwrap_or(now);
        content.write(UNTIL, format!("{until}\n"));
        content.note(format!("the authorities before are trusted until {until}"));
    } else {
        content.remove(UNTIL);
    }
    Ok(())
}

/// Notes that the change of authorities is done.
pub(super) fn end(content: &mut Content) {
    content.remove(ASKED);
}

/// Returns until when the authorities before the one that signs are trusted, if not until they end.
pub(super) fn until(content: &Content) -> Result<Option<Timestamp>, IdentityError> {
    let parsed = content.read(UNTIL)?.map(|text| {
        let reason = "it must hold a time such as 2030-01-31T12:00:00Z";
        let parsed = text.trim().parse();
        parsed.map_err(|_| content.malformed(UNTIL, reason))
    });
    parsed.transpose()
}

/// In the control plane's folder, beside the next authority.
const ASKED: &str = "control-plane/next-ca.distrust";
/// It stays when the time has come: streams of before are still to be cut by whoever serves them.
const UNTIL: &str = "control-plane/previous-ca.until";
