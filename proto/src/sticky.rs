//! The cookie by which a client comes back to the endpoint that it was with.

use crate::error::InvalidResource;
use crate::wire;

/// A cookie that names the endpoint which has answered a client.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Sticky {
    /// The cookie's name: a token.
    pub cookie: String,
    /// Only over TLS.
    pub secure: bool,
    /// Not for scripts.
    pub http_only: bool,
    /// What browsers send along to other sites.
    pub same_site: SameSite,
    /// How many seconds a browser keeps it; 0 until it is closed, less than that not at all.
    pub max_age_s: i64,
    /// Starts with a slash.
    pub path: String,
    /// `None` for the host that has set it.
    pub domain: Option<String>,
}

/// What browsers send along to other sites.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum SameSite {
    /// The attribute is not set.
    #[default]
    Unset,
    /// `None`.
    None,
    /// `Lax`.
    Lax,
    /// `Strict`.
    Strict,
}

impl TryFrom<wire::Sticky> for Sticky {
    type Error = InvalidResource;

    fn try_from(message: wire::Sticky) -> Result<Self, InvalidResource> {
        use wire::sticky::SameSite as Wire;
        let text = |field, text: &str| {
            // What stands in Set-Cookie must not end one attribute and begin another.
            let is_plain = text
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && byte != b';');
            is_plain
                .then_some(())
                .ok_or_else(|| InvalidResource::CookieAttribute {
                    field,
                    value: text.to_owned(),
                })
        };
        let is_token =
            |byte: u8| byte.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?={}".contains(&byte);
        if message.cookie.is_empty() || !message.cookie.bytes().all(is_token) {
            return Err(InvalidResource::CookieAttribute {
                field: "sticky.cookie",
                value: message.cookie,
            });
        }
        text("sticky.path", &message.path)?;
        text("sticky.domain", &message.domain)?;
        let same_site = match Wire::try_from(message.same_site) {
            Ok(Wire::Unset) => SameSite::Unset,
            Ok(Wire::None) => SameSite::None,
            Ok(Wire::Lax) => SameSite::Lax,
            Ok(Wire::Strict) => SameSite::Strict,
            Err(_) => {
                return Err(InvalidResource::UnknownValue {
                    field: "sticky.same_site",
                    value: message.same_site,
                });
            }
        };
        Ok(Self {
            cookie: message.cookie,
            secure: message.secure,
            http_only: message.http_only,
            same_site,
            max_age_s: message.max_age_s,
            path: match message.path.as_str() {
                "" => "/".to_owned(),
                path => path.to_owned(),
            },
            domain: Some(message.domain).filter(|domain| !domain.is_empty()),
        })
    }
}

impl From<&Sticky> for wire::Sticky {
    fn from(sticky: &Sticky) -> Self {
        use wire::sticky::SameSite as Wire;
        let same_site = match sticky.same_site {
            SameSite::Unset => Wire::Unset,
            SameSite::None => Wire::None,
            SameSite::Lax => Wire::Lax,
            SameSite::Strict => Wire::Strict,
        };
        Self {
            cookie: sticky.cookie.clone(),
            secure: sticky.secure,
            http_only: sticky.http_only,
            same_site: same_site.into(),
            max_age_s: sticky.max_age_s,
            path: sticky.path.clone(),
            domain: sticky.domain.clone().unwrap_or_default(),
        }
    }
}
