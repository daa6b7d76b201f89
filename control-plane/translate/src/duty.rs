//! What it costs that a policy cannot be had: the one rule, whatever the dialect that it is written in.
//!
//! It does not say which policies are which: each dialect has a table (`traefik/kinds.rs`, `policies/order.rs`,
//! `annotations/foreign/tables.rs`).

/// What it costs that a policy cannot be had.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Duty {
    /// It keeps requests out, or confines what they reach: the routes answer 503 without it.
    Protects,
    /// It makes something better: the routes are served without it.
    Improves,
}

impl Duty {
    /// Returns the cost, as whoever says the policy is told it.
    pub(crate) const fn cost(self) -> &'static str {
        match self {
            Self::Protects => "the routes that need it answer 503",
            Self::Improves => "the routes that name it are served without",
        }
    }
}
