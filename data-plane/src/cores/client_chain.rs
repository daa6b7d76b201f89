//! The certificate that a client has shown in its handshake, and what policies have found of it.

use std::cell::RefCell;

use rustls_pki_types::CertificateDer;

/// The certificates of a client, the leaf first; none if it was asked and showed none.
#[derive(Debug, Default)]
pub(crate) struct ClientChain {
    certificates: Vec<CertificateDer<'static>>,
    // In lower case and without a final dot; empty if the client has named none.
    server_name: String,
    // By the policy: a connection has many requests, and a signature is not checked for each.
    found: RefCell<Vec<(u64, bool)>>,
}

impl ClientChain {
    pub(crate) fn new(server_name: String, certificates: &[CertificateDer<'_>]) -> Self {
        let certificates = certificates.iter().map(|der| der.clone().into_owned());
        Self {
            certificates: certificates.collect(),
            server_name,
            found: RefCell::default(),
        }
    }

    /// Returns the certificates, the leaf first.
    pub(crate) fn certificates(&self) -> &[CertificateDer<'static>] {
        &self.certificates
    }

    /// Returns whether the client was asked on behalf of this host.
    pub(crate) fn is_for(&self, host: &str) -> bool {
        self.server_name == host
    }

    /// Returns what the policy of this id has found, now or earlier.
    pub(crate) fn found_by(&self, policy: u64, find: impl FnOnce() -> bool) -> bool {
        let mut found = self.found.borrow_mut();
        if let Some((_, right)) = found.iter().find(|(id, _)| *id == policy) {
            return *right;
        }
        let right = find();
        // A policy that changes is another one: the oldest is most likely gone.
        if found.len() >= MOST_FOUND {
            found.remove(0);
        }
        found.push((policy, right));
        right
    }
}

const MOST_FOUND: usize = 8;
