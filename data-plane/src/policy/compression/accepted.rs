//! `Accept-Encoding`: what a client can read, and what it prefers.

use http::HeaderMap;
use http::header::ACCEPT_ENCODING;
use sluice_proto::Encoding;

/// What a client says that it accepts. Weights are in thousandths; what it does not name has none.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::policy) struct Accepted {
    said: bool,
    gzip: Option<u16>,
    brotli: Option<u16>,
    zstd: Option<u16>,
    identity: Option<u16>,
    // "*": all that is not named.
    others: Option<u16>,
}

/// What a response to it becomes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Choice {
    /// How it is encoded, if at all.
    pub(super) encoding: Option<Encoding>,
    /// Whether the client accepts nothing that is not encoded.
    pub(super) identity_refused: bool,
}

impl Accepted {
    /// Returns what the client of a request with these headers accepts.
    pub(in crate::policy) fn of(headers: &HeaderMap) -> Self {
        let mut accepted = Self::default();
        for value in headers.get_all(ACCEPT_ENCODING) {
            accepted.said = true;
            for item in value.as_bytes().split(|byte| *byte == b',') {
                accepted.take(item);
            }
        }
        accepted
    }

    /// Returns the one of `offered` that it prefers, the first one where it prefers none; `default` if it says nothing.
    pub(super) fn choose(&self, offered: &[Encoding], default: Option<Encoding>) -> Choice {
        if !self.said {
            return Choice {
                encoding: default,
                identity_refused: false,
            };
        }
        // Where it does not say how much it likes a response as it is, it likes any encoding of its list more.
        let identity = self.identity.unwrap_or_default();
        let mut best = None;
        for encoding in offered {
            let weight = self.weight(*encoding);
            if weight > 0 && best.is_none_or(|(most, _)| weight > most) {
                best = Some((weight, *encoding));
            }
        }
        Choice {
            encoding: best
                .filter(|(weight, _)| *weight >= identity)
                .map(|(_, encoding)| encoding),
            identity_refused: self.identity.or(self.others) == Some(0),
        }
    }

    fn weight(&self, encoding: Encoding) -> u16 {
        let named = match encoding {
            Encoding::Gzip => self.gzip,
            Encoding::Brotli => self.brotli,
            Encoding::Zstd => self.zstd,
        };
        named.or(self.others).unwrap_or_default()
    }

    // An item whose weight cannot be read is none.
    fn take(&mut self, item: &[u8]) {
        let mut parts = item.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
        let name = parts.next().unwrap_or_default();
        let Some(weight) = parts.next().map_or(Some(1_000), weight) else {
            return;
        };
        let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
        let slot = if name == b"*" {
            &mut self.others
        } else if is("identity") {
            &mut self.identity
        // RFC 9110, section 8.4.1.3: "A recipient SHOULD consider "x-gzip" to be equivalent to "gzip"."
        } else if is("gzip") || is("x-gzip") {
            &mut self.gzip
        } else if is("br") {
            &mut self.brotli
        } else if is("zstd") {
            &mut self.zstd
        } else {
            return;
        };
        // Of two that it names twice, the one that it likes more.
        *slot = Some(slot.map_or(weight, |earlier| earlier.max(weight)));
    }
}

// RFC 9110, section 12.4.2: qvalue = ( "0" [ "." 0*3DIGIT ] ) / ( "1" [ "." 0*3("0") ] ).
fn weight(parameter: &[u8]) -> Option<u16> {
    let (name, value) = parameter.split_at_checked(2)?;
    if !name.eq_ignore_ascii_case(b"q=") {
        return None;
    }
    let (whole, rest) = value.split_first()?;
    let digits = match rest {
        [] => rest,
        [b'.', digits @ ..] if digits.len() <= 3 => digits,
        _ => return None,
    };
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let mut thousandths = 0;
    for place in 0..3 {
        let digit = digits.get(place).map_or(0, |digit| digit - b'0');
        thousandths = thousandths * 10 + u16::from(digit);
    }
    match whole {
        b'0' => Some(thousandths),
        b'1' if thousandths == 0 => Some(1_000),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
