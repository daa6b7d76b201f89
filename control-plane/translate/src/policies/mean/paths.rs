//! `redirect` and `rewrite`: where a request goes.

use sluice_proto::{PolicyAction, Redirect, RedirectParts, RedirectTo, Replacement, Rewrite};

use crate::policies::effect::{Effect, Said, Wrong};
use crate::policies::spec::{RedirectSpec, RewriteSpec, SchemeSpec};

impl RedirectSpec {
    pub(super) fn effect(self, said: Said<'_>) -> Result<Effect, Wrong> {
        let parts = RedirectParts {
            scheme: self.scheme.map(|scheme| {
                match scheme {
                    SchemeSpec::Http => "http",
                    SchemeSpec::Https => "https",
                }
                .to_owned()
            }),
            host: self.host.map(|host| host.0.to_ascii_lowercase()),
            port: self.port.map(|port| port.0),
            path: self.path.map(|path| path.0),
        };
        let has_parts = parts != RedirectParts::default();
        let to = match (self.regex, self.replacement) {
            (None, None) if has_parts => RedirectTo::Parts(parts),
            (Some(regex), Some(replacement)) if !has_parts => RedirectTo::Url(Replacement {
                pattern: regex.0,
                replacement: replacement.0,
            }),
            _ => {
                let reason = "it must say either regex and replacement, or some of scheme, host, port and path";
                return Err(Wrong::new("redirect", reason));
            }
        };
        if let Some(status) = self.status.filter(|status| !STATUSES.contains(status)) {
            let reason = format!("{status} is none of 301, 302, 303, 307 and 308");
            return Err(Wrong::new("redirect.status", reason));
        }
        let redirect = Redirect {
            permanent: self.permanent,
            status: self.status,
            to,
        };
        Ok(said.does("redirect", PolicyAction::Redirect(redirect)))
    }
}

impl RewriteSpec {
    pub(super) fn effects(self, said: Said<'_>) -> Result<Vec<Effect>, Wrong> {
        let changes = match (self.strip_prefix, self.add_prefix, self.path) {
            (None, None, None) => match (self.regex, self.replacement) {
                (Some(regex), Some(replacement)) => vec![(
                    "rewrite.regex",
                    Rewrite::Replacement(Replacement {
                        pattern: regex.0,
                        replacement: replacement.0,
                    }),
                )],
                _ => return Err(not_one()),
            },
            _ if self.regex.is_some() || self.replacement.is_some() => return Err(not_one()),
            (None, None, Some(path)) => vec![("rewrite.path", Rewrite::Path(path.0))],
            (_, _, Some(_)) => return Err(not_one()),
            (prefixes, added, None) => {
                if prefixes.as_ref().is_some_and(Vec::is_empty) {
                    return Err(Wrong::new("rewrite.stripPrefix", "it is empty"));
                }
                let stripped = prefixes.map(|prefixes| {
                    let prefixes = prefixes.into_iter().map(|prefix| prefix.0).collect();
                    let whole_elements = true;
                    let strip = Rewrite::StripPrefix {
                        prefixes,
                        whole_elements,
                    };
                    ("rewrite.stripPrefix", strip)
                });
                let added = added.map(|added| ("rewrite.addPrefix", Rewrite::AddPrefix(added.0)));
                stripped.into_iter().chain(added).collect()
            }
        };
        let effects = changes
            .into_iter()
            .map(|(field, rewrite)| said.does(field, PolicyAction::Rewrite(rewrite)));
        Ok(effects.collect())
    }
}

fn not_one() -> Wrong {
    let reason =
        "it must say one of: stripPrefix and addPrefix, path, and regex with its replacement";
    Wrong::new("rewrite", reason)
}

const STATUSES: [u16; 5] = [301, 302, 303, 307, 308];
