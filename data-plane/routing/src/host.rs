//! The host of a request as a route table is asked for it: in lower case, without port and final dot.

use std::borrow::Cow;

/// Returns the host of what a request has in `Host` or `:authority`; `None` if that is not `host[:port]`.
///
/// Allocates only if there are upper-case letters in it. An empty authority is an empty host, which only routes for any
/// host take: RFC 9110, section 7.2: "If the target URI's authority component is empty […] send an empty field value."
#[must_use]
pub fn request_host(authority: &str) -> Option<Cow<'_, str>> {
    let host = match authority.strip_prefix('[') {
        Some(rest) => {
            let end = rest.find(']')? + 2;
            let (host, port) = authority.split_at(end);
            let address = &host[1..host.len() - 1];
            let is_address = !address.is_empty() && address.bytes().all(is_in_ipv6);
            if !is_address || !is_port(port) {
                return None;
            }
            host
        }
        None => {
            let (host, port) = match authority.find(':') {
                Some(colon) => authority.split_at(colon),
                None => (authority, ""),
            };
            if !is_port(port) || !host.bytes().all(is_in_name) {
                return None;
            }
            host.strip_suffix('.').unwrap_or(host)
        }
    };
    if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Some(Cow::Owned(host.to_ascii_lowercase()));
    }
    Some(Cow::Borrowed(host))
}

// "authority = host [ ":" port ]", "port = *DIGIT" (RFC 3986, section 3.2): the port may be empty.
fn is_port(text: &str) -> bool {
    let is_number = |digits: &str| {
        digits.len() <= MAX_PORT_DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    text.is_empty() || text.strip_prefix(':').is_some_and(is_number)
}

// Of what a reg-name may hold by RFC 3986 only what occurs in hostnames: a name with anything else is no route's.
fn is_in_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_')
}

fn is_in_ipv6(byte: u8) -> bool {
    byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.')
}

const MAX_PORT_DIGITS: usize = 5;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn port_and_final_dot_and_case_do_not_matter() {
        for (authority, host) in [
            ("example.com", "example.com"),
            ("Example.COM:8080", "example.com"),
            ("example.com.", "example.com"),
            ("example.com.:443", "example.com"),
            ("example.com:", "example.com"),
            ("[::1]:80", "[::1]"),
            ("[2001:DB8::1]", "[2001:db8::1]"),
            ("127.0.0.1:80", "127.0.0.1"),
            ("a_b.example", "a_b.example"),
            ("", ""),
        ] {
            assert_eq!(
                request_host(authority).as_deref(),
                Some(host),
                "{authority}"
            );
        }
    }

    #[test]
    fn what_is_no_authority_is_refused() {
        for authority in [
            "a b", "a,b", "user@a", "a:b", "a:80:90", "[::1", "[]", "[::1]x", "[g]", "a/b",
            "a:123456", "ä.de", "a\0",
        ] {
            assert_eq!(request_host(authority), None, "{authority}");
        }
    }

    #[test]
    fn a_host_in_lower_case_is_borrowed() {
        assert!(matches!(
            request_host("a.example:80"),
            Some(Cow::Borrowed(_))
        ));
    }

    proptest! {
        #[test]
        fn any_text_gives_a_clean_host_or_none(authority in "\\PC{0,40}") {
            if let Some(host) = request_host(&authority) {
                prop_assert!(host.bytes().all(|byte| !byte.is_ascii_uppercase() && !b" @/\\".contains(&byte)));
            }
        }
    }
}
