//! What each field of a Policy comes to.
//!
//! Every field is of one kind of policy, or of two that belong together. What is checked here is what no field can tell alone.

mod access;
mod bodies;
mod headers;
mod limits;
mod paths;
mod places;

use crate::policies::effect::{Effect, Said, Wrong};
use crate::policies::spec::{PolicySpec, StickySpec};

impl PolicySpec {
    /// Returns what it comes to, in the order in which it is done.
    pub(super) fn effects(self, said: Said<'_>) -> Result<Vec<Effect>, Wrong> {
        let Self {
            share_with: _,
            response_headers,
            security_headers,
            compression,
            addresses,
            redirect,
            client_certificates,
            rate_limit,
            concurrency_limit,
            request_body,
            response_body,
            cors,
            basic_auth,
            forward_auth,
            rewrite,
            request_headers,
            retry,
            timeouts,
            upstream_tls,
            sticky,
            canary,
        } = self;
        let mut effects = Vec::new();
        let mut put = |effect: Option<Result<Effect, Wrong>>| {
            effects.extend(effect.transpose()?);
            Ok(())
        };
        put(response_headers.map(|headers| headers.of_responses(said)))?;
        put(security_headers.map(|headers| headers.effect(said)))?;
        put(compression.map(|compression| compression.effect(said)))?;
        put(cors.map(|cors| cors.effect(said)))?;
        put(addresses.map(|addresses| addresses.effect(said)))?;
        put(redirect.map(|redirect| redirect.effect(said)))?;
        put(client_certificates.map(|certificates| Ok(certificates.effect(said))))?;
        put(rate_limit.map(|limit| Ok(limit.effect(said))))?;
        put(concurrency_limit.map(|limit| Ok(limit.effect(said))))?;
        put(request_body.map(|body| Ok(body.of_requests(said))))?;
        put(response_body.map(|body| Ok(body.of_responses(said))))?;
        put(basic_auth.map(|auth| Ok(auth.effect(said))))?;
        for effect in forward_auth.map_or_else(|| Ok(Vec::new()), |auth| auth.effects(said))? {
            put(Some(Ok(effect)))?;
        }
        for effect in rewrite.map_or_else(|| Ok(Vec::new()), |rewrite| rewrite.effects(said))? {
            put(Some(Ok(effect)))?;
        }
        put(request_headers.map(|headers| headers.of_requests(said)))?;
        put(retry.map(|retry| Ok(retry.effect(said))))?;
        put(timeouts.map(|timeouts| Ok(timeouts.effect(said))))?;
        put(upstream_tls.map(|tls| tls.effect(said)))?;
        put(sticky.map(StickySpec::effect))?;
        put(canary.map(|canary| canary.effect(said)))?;
        Ok(effects)
    }
}
