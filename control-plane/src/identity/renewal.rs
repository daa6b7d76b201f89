//! Renewals that somebody asks for, before they are due.
//!
//! It takes no more rights than a control plane has, and does no more than one would do when it is time: a control plane
//! that runs notices what was written and goes on with it.

use std::time::Duration;

use jiff::Timestamp;

use crate::identity::content::Content;
use crate::identity::error::IdentityError;
use crate::identity::store::Store;
use crate::identity::{distrust, establish, seal, succession};

/// What is to be renewed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Renewal {
    /// The authority, with a new key, which signs once it has been trusted for so long; and then all that it issues.
    Authority {
        /// How long the next authority is trusted before it signs.
        overlap: Duration,
        /// Whether those before are trusted no more once the next has signed for as long.
        distrusts: bool,
    },
    /// The certificates of both planes and the default one, with new keys.
    Certificates,
    /// What data planes derive the keys of their disk copies from.
    SealKey,
}

impl Renewal {
    /// Writes what begins this renewal. Returns when the next authority signs, if one waits.
    ///
    /// # Errors
    ///
    /// If what is kept is malformed, or cannot be read or written.
    pub async fn begin(self, store: &Store) -> Result<Option<Timestamp>, IdentityError> {
        let step = move |content: &mut Content| self.apply(content, Timestamp::now());
        store.settle(step).await
    }

    pub(crate) fn apply(
        self,
        content: &mut Content,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, IdentityError> {
        // First what is due, and what is malformed is found before anything is changed.
        establish(content, now, false)?;
        match self {
            Self::Authority { overlap, distrusts } => {
                if distrusts {
                    distrust::ask(content);
                }
                succession::begin(content, now, overlap)?;
            }
            Self::SealKey => seal::rotate(content)?,
            Self::Certificates => {}
        }
        let asked = self == Self::Certificates;
        Ok(establish(content, now, asked)?.next_authority_signs_after())
    }
}

/// Takes the steps that are due, as a control plane does. Returns when the next one is, if one waits.
///
/// # Errors
///
/// As [`Renewal::begin`].
pub async fn carry_on(store: &Store) -> Result<Option<Timestamp>, IdentityError> {
    let step = |content: &mut Content| {
        let now = Timestamp::now();
        Ok(establish(content, now, false)?.next_step(now))
    };
    store.settle(step).await
}
