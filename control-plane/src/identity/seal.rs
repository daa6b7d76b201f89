//! The secret that data planes share: keys for their disk copies are derived from it. The one before it is still accepted.
//!
//! The control plane makes it and never uses it.

use std::fmt::Write;

use crate::identity::content::Content;
use crate::identity::error::IdentityError;

/// Checks the secrets, and makes one if there is none.
pub(crate) fn establish(content: &mut Content) -> Result<(), IdentityError> {
    check(content, PREVIOUS_FILE)?;
    if !check(content, FILE)? {
        content.write(FILE, fresh()?);
        let place = content.place(FILE);
        content.note(format!("made a seal key in {place}"));
    }
    Ok(())
}

/// Makes a new secret; the one there is becomes the one before.
pub(crate) fn rotate(content: &mut Content) -> Result<(), IdentityError> {
    if check(content, FILE)?
        && let Some(current) = content.read(FILE)?
    {
        content.write(PREVIOUS_FILE, current);
    }
    content.write(FILE, fresh()?);
    let place = content.place(FILE);
    content.note(format!(
        "made a new seal key in {place}; the one before is still accepted"
    ));
    Ok(())
}

/// Returns whether there is one.
fn check(content: &Content, name: &'static str) -> Result<bool, IdentityError> {
    let Some(text) = content.read(name)? else {
        return Ok(false);
    };
    let text = text.trim_end();
    if text.len() == 2 * BYTES && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(true);
    }
    // The content is a secret, so only its form is told.
    let reason = format!("it must hold {} hexadecimal digits", 2 * BYTES);
    Err(content.malformed(name, reason))
}

fn fresh() -> Result<String, IdentityError> {
    let mut bytes = [0; BYTES];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| IdentityError::Random)?;
    let mut text = bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    });
    text.push('\n');
    Ok(text)
}

const FILE: &str = "data-plane/seal.key";
const PREVIOUS_FILE: &str = "data-plane/seal.key.previous";
const BYTES: usize = 32;
