//! What tells this installation from another one on the same nodes: data planes derive from it the name that those of a node
//! meet at. It outlives every renewal, so that they find each other whatever was renewed.

use crate::identity::content::Content;
use crate::identity::error::IdentityError;
use crate::identity::random;

/// Checks it, makes one if there is none, and gives it to the data planes.
pub(crate) fn establish(content: &mut Content) -> Result<(), IdentityError> {
    if !random::is_there(content, FILE, BYTES)? {
        // The control plane's part may have been made anew; data planes that run go by what they were given.
        let given = match random::is_there(content, GIVEN, BYTES)? {
            true => content.read(GIVEN)?,
            false => None,
        };
        let id = match given {
            Some(id) => id,
            None => random::fresh::<BYTES>()?,
        };
        content.write(FILE, id);
    }
    if let Some(id) = content.read(FILE)? {
        content.write(GIVEN, id);
    }
    Ok(())
}

const FILE: &str = "control-plane/installation.id";
const GIVEN: &str = "data-plane/installation.id";
const BYTES: usize = 16;
