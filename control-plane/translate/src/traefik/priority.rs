//! `router.priority` on an Ingress: which of the routes of a host goes first.
//!
//! Traefik compares it with the lengths of rules such as ``Host(`example.com`) && PathPrefix(`/a`)``. Around the paths of a
//! host the rules are the same, so it is kept without that: to be compared with the lengths of paths. It does not say whose
//! priorities count (`claims.rs`).

use sluice_proto::HostPattern;

use crate::traefik::annotations::{Annotations, written_priority};

/// Returns whether Sluice does what this text asks for.
pub(crate) fn is_priority(text: &str) -> bool {
    text.trim().parse::<i64>().is_ok()
}

/// Returns the priority of the routes that an Ingress has on a host, if it says one.
pub(crate) fn priority(annotations: Option<&Annotations>, host: &HostPattern) -> Option<i64> {
    let priority: i64 = written_priority(annotations)?.trim().parse().ok()?;
    // "0 = default".
    (priority != 0).then(|| priority.saturating_sub(around(host)))
}

/// Returns the length of a rule of this host without the path.
fn around(host: &HostPattern) -> i64 {
    let host = match host {
        HostPattern::Exact(name) => "Host(``) && ".len() + name.len(),
        HostPattern::Wildcard(parent) => {
            let dots = parent.bytes().filter(|byte| *byte == b'.').count();
            "HostRegexp(`^[a-zA-Z0-9-]+\\.$`) && ".len() + parent.len() + dots
        }
        HostPattern::Any => 0,
    };
    i64::try_from(host + "PathPrefix(``)".len()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_priority_is_compared_with_the_length_of_a_rule() {
        for (host, rule) in [
            ("example.com", "Host(`example.com`) && PathPrefix(`/long`)"),
            (
                "*.example.com",
                r"HostRegexp(`^[a-zA-Z0-9-]+\.example\.com$`) && PathPrefix(`/long`)",
            ),
            ("", "PathPrefix(`/long`)"),
        ] {
            let said = Annotations::from([(
                "traefik.ingress.kubernetes.io/Router.Priority".to_owned(),
                rule.len().to_string(),
            )]);
            let host = HostPattern::parse(host).unwrap();
            let expected = Some("/long".len() as i64);
            assert_eq!(priority(Some(&said), &host), expected, "{host}");
        }
    }

    #[test]
    fn what_is_no_priority_says_none() {
        for text in ["0", "", "high", "1.5", "99999999999999999999"] {
            let said = Annotations::from([(
                "traefik.ingress.kubernetes.io/router.priority".to_owned(),
                text.to_owned(),
            )]);
            assert_eq!(priority(Some(&said), &HostPattern::Any), None, "{text}");
        }
    }
}
