//! In what Sluice answers otherwise than Traefik, on purpose: the one list. A row names what it shows; what no row shows
//! is not listed; and each stands in `docs/traefik-differences.md`, which says the same to users.

/// A documented difference.
#[derive(Clone, Copy, Debug)]
pub(super) struct Difference {
    pub(super) id: &'static str,
    /// The observations that it may make differ; a `*` at the end stands for anything.
    fields: &'static [&'static str],
    /// Why it is meant.
    pub(super) reason: &'static str,
}

/// Returns the difference of this id.
pub(super) fn find(id: &str) -> &'static Difference {
    let found = ALL.iter().find(|difference| difference.id == id);
    found.unwrap_or_else(|| panic!("no difference `{id}` is listed"))
}

impl Difference {
    /// Returns whether it may make this observation differ.
    pub(super) fn covers(&self, what: &str) -> bool {
        self.fields
            .iter()
            .any(|field| match field.strip_suffix('*') {
                Some(start) => what.starts_with(start),
                None => *field == what,
            })
    }
}

/// All of them.
pub(super) const ALL: &[Difference] = &[
    Difference {
        id: "prefix-by-elements",
        fields: &["status", "answered by"],
        reason: "A Prefix matches whole elements of a path, as Kubernetes defines it: `/foo` does not match `/foobar`, and `/foo/` matches `/foo`",
    },
    Difference {
        id: "exact-before-prefix",
        fields: &["answered by"],
        reason: "An Exact path goes before a Prefix of the same length, as Kubernetes defines it",
    },
    Difference {
        id: "host-before-path",
        fields: &["answered by"],
        reason: "A rule with a host goes before one without, whatever their paths",
    },
    Difference {
        id: "paths-as-sent",
        fields: &["status", "answered by", "backend saw path"],
        reason: "Paths are matched and sent on as they came",
    },
    Difference {
        id: "queries-as-sent",
        fields: &["backend saw query"],
        reason: "Queries are sent on as they came",
    },
    Difference {
        id: "expect-is-answered",
        fields: &["backend saw expect"],
        reason: "`Expect: 100-continue` is answered by Sluice, and the body sent on as soon as the backend takes it",
    },
    Difference {
        id: "broken-route-is-unavailable",
        fields: &["status", "answered by"],
        reason: "What is broken answers 503 on its own host and path, instead of letting less specific routes have its requests",
    },
    Difference {
        id: "one-client-identity",
        fields: &[
            "backend saw cf-connecting-ip",
            "backend saw true-client-ip",
            "backend saw forwarded",
            "backend saw x_forwarded_for",
        ],
        reason: "Backends see one client identity: every header that claims another is taken out, those with underscores too, `Forwarded` from anybody",
    },
    Difference {
        id: "real-ip-is-the-client",
        fields: &["backend saw x-real-ip"],
        reason: "`X-Real-Ip` is the client, by the same rule as `X-Forwarded-For`",
    },
    Difference {
        id: "forwarded-for-begins-with-the-client",
        fields: &["backend saw x-forwarded-for"],
        reason: "`X-Forwarded-For` begins with the client: what stands left of it was made up by somebody",
    },
    Difference {
        id: "forwarded-proto-is-http-or-https",
        fields: &["backend saw x-forwarded-proto"],
        reason: "`X-Forwarded-Proto` is `http` or `https`, never anything else that a trusted neighbour sends",
    },
    Difference {
        id: "forwarded-port-is-the-listeners",
        fields: &["backend saw x-forwarded-port"],
        reason: "`X-Forwarded-Port` is the port that the client reached, and not what its `Host` says",
    },
    Difference {
        id: "connection-cannot-name-everything",
        fields: &["backend saw cookie"],
        reason: "`Connection` cannot take out what is meant for the backend, such as `Cookie` (RFC 9110, section 7.6.1)",
    },
    Difference {
        id: "every-listener-serves-every-host",
        fields: &["status", "answered by"],
        reason: "Every listener serves every host, whatever of `web` and `websecure` an Ingress names",
    },
    Difference {
        id: "other-entry-points-are-unavailable",
        fields: &["status"],
        reason: "An Ingress for another entry point than `web` and `websecure` answers 503: that one may be open to fewer people",
    },
];
