//! The secret that data planes share: keys for their disk copies are derived from it.
//!
//! The control plane makes it and never uses it.

use std::fmt::Write;

use crate::identity::error::IdentityError;
use crate::identity::folder::{Folder, Lock};
use crate::identity::{Step, Stop};

/// Checks the secret in the folder; with the lock, makes one if there is none.
pub(crate) fn establish(folder: &Folder, lock: Option<&Lock>) -> Step<()> {
    let Some(text) = folder.read(FILE)? else {
        lock.ok_or(Stop::NeedsLock)?.write(FILE, &fresh()?)?;
        return Ok(());
    };
    let text = text.trim_end();
    if text.len() == 2 * BYTES && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(());
    }
    // The content is a secret, so only its form is told.
    let reason = format!("it must hold {} hexadecimal digits", 2 * BYTES);
    Err(folder.malformed(FILE, reason).into())
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
const BYTES: usize = 32;
