//! Files that hold random bytes in hexadecimal.

use std::fmt::Write;

use crate::identity::content::Content;
use crate::identity::error::IdentityError;

/// Returns whether there is such a file, which must hold so many bytes.
pub(crate) fn is_there(
    content: &Content,
    name: &'static str,
    bytes: usize,
) -> Result<bool, IdentityError> {
    let Some(text) = content.read(name)? else {
        return Ok(false);
    };
    let text = text.trim_end();
    if text.len() == 2 * bytes && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(true);
    }
    // The content may be a secret, so only its form is told.
    let reason = format!("it must hold {} hexadecimal digits", 2 * bytes);
    Err(content.malformed(name, reason))
}

/// Returns what such a file holds.
pub(crate) fn fresh<const BYTES: usize>() -> Result<String, IdentityError> {
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
