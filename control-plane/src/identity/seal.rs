//! The secret that data planes share: keys for their disk copies are derived from it. The one before it is still accepted.
//!
//! The control plane makes it and never uses it.

use crate::identity::content::Content;
use crate::identity::error::IdentityError;
use crate::identity::random;

/// Checks the secrets, and makes one if there is none.
pub(crate) fn establish(content: &mut Content) -> Result<(), IdentityError> {
    random::is_there(content, PREVIOUS_FILE, BYTES)?;
    if !random::is_there(content, FILE, BYTES)? {
        content.write(FILE, random::fresh::<BYTES>()?);
        let place = content.place(FILE);
        content.note(format!("made a seal key in {place}"));
    }
    Ok(())
}

/// Makes a new secret; the one there is becomes the one before.
pub(crate) fn rotate(content: &mut Content) -> Result<(), IdentityError> {
    if random::is_there(content, FILE, BYTES)?
        && let Some(current) = content.read(FILE)?
    {
        content.write(PREVIOUS_FILE, current);
    }
    content.write(FILE, random::fresh::<BYTES>()?);
    let place = content.place(FILE);
    content.note(format!(
        "made a new seal key in {place}; the one before is still accepted"
    ));
    Ok(())
}

const FILE: &str = "data-plane/seal.key";
const PREVIOUS_FILE: &str = "data-plane/seal.key.previous";
const BYTES: usize = 32;
