//! The request's id: what ties a client's complaint to a line of the access log and to the backend's own log.

use http::{HeaderName, HeaderValue};

/// Returns a new id: 128 random bits in hexadecimal.
pub(super) fn make() -> HeaderValue {
    let mut id = [0; 32];
    let (high, low) = (fastrand::u64(..), fastrand::u64(..));
    for (index, digit) in id.iter_mut().enumerate() {
        let word = if index < 16 { high } else { low };
        *digit = HEXADECIMAL[(word >> (4 * (index % 16)) & 0xf) as usize];
    }
    // Hexadecimal digits are a header's value.
    HeaderValue::from_bytes(&id).unwrap_or(HeaderValue::from_static("none"))
}

/// Returns whether an id from a trusted peer can be taken: it goes into logs and responses.
pub(super) fn is_usable(value: &HeaderValue) -> bool {
    let usable = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:+/=@".contains(byte);
    (1..=LONGEST).contains(&value.len()) && value.as_bytes().iter().all(usable)
}

/// The header that carries it.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const LONGEST: usize = 128;
const HEXADECIMAL: &[u8; 16] = b"0123456789abcdef";
