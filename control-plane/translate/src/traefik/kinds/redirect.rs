//! `redirectScheme` and `redirectRegex`: where clients are sent.

use serde::Deserialize;
use sluice_proto::{PolicyAction, Redirect, RedirectParts, RedirectTo, Replacement};

use crate::traefik::kept::{Meaning, Spec, Wrong};
use crate::traefik::value::Pattern;

#[derive(Default, Deserialize)]
#[serde(default)]
struct RedirectSchemeSpec {
    scheme: String,
    port: String,
    permanent: bool,
}

#[derive(Deserialize)]
struct RedirectRegexSpec {
    regex: Pattern,
    #[serde(default)]
    replacement: String,
    #[serde(default)]
    permanent: bool,
}

pub(super) fn redirect_scheme(spec: &mut Spec<'_>) -> Result<Meaning, Wrong> {
    let read: RedirectSchemeSpec = spec.read()?;
    let own_port = match read.scheme.as_str() {
        "http" => 80,
        "https" => 443,
        scheme => {
            let reason = format!("{scheme:?} is neither http nor https");
            return Err(Wrong::new("scheme", reason));
        }
    };
    let port = match read.port.as_str() {
        "" => None,
        port => match port.parse::<u16>() {
            Ok(number) if number > 0 => Some(number),
            _ => return Err(Wrong::new("port", format!("{port:?} is no port"))),
        },
    };
    Ok(spec.means(PolicyAction::Redirect(Redirect {
        permanent: read.permanent,
        status: None,
        to: RedirectTo::Parts(RedirectParts {
            scheme: Some(read.scheme),
            port: port.filter(|port| *port != own_port),
            ..RedirectParts::default()
        }),
    })))
}

pub(super) fn redirect_regex(spec: &mut Spec<'_>) -> Result<Meaning, Wrong> {
    let read: RedirectRegexSpec = spec.read()?;
    Ok(spec.means(PolicyAction::Redirect(Redirect {
        permanent: read.permanent,
        status: None,
        to: RedirectTo::Url(Replacement {
            pattern: read.regex.0,
            replacement: read.replacement,
        }),
    })))
}
