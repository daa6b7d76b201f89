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
        id: "encoded-slashes-stay",
        fields: &["status", "answered by", "backend saw path"],
        reason: "An encoded slash is no slash: it stays within its element, where paths are matched and in what backends get",
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
    Difference {
        id: "patterns-are-unavailable",
        fields: &["status", "answered by"],
        reason: "`router.pathmatcher: PathRegexp` is not supported: what begins as its pattern does answers 503",
    },
    Difference {
        id: "rate-limits-are-shared",
        fields: &["status", "answered by"],
        reason: "A limit counts by the Middleware: all routes that name it share its buckets",
    },
    Difference {
        id: "limits-count-the-client",
        fields: &["status", "answered by"],
        reason: "Without a `sourceCriterion` a rate limit counts by the client, as the settings have it determined",
    },
    Difference {
        id: "trusted-entries-only",
        fields: &["status", "answered by"],
        reason: "Of `X-Forwarded-For`, `depth` and `excludedIPs` see what trusted neighbours have written: up to the first address that is not one of theirs",
    },
    Difference {
        id: "cors-says-what-is-allowed",
        fields: &["response access-control-*", "response vary"],
        reason: "CORS headers go to origins that may ask, and to no others; `Vary: Origin` stands wherever the answer depends on it; origins are compared as a whole, in any case",
    },
    Difference {
        id: "scheme-of-a-trusted-proxy",
        fields: &["response strict-transport-security"],
        reason: "What a trusted neighbour says of the scheme is the scheme: HSTS is sent to who came by HTTPS to it",
    },
    Difference {
        id: "allowed-hosts-are-hosts",
        fields: &["status", "answered by"],
        reason: "`allowedHosts` are compared with the host that is asked for, without its port, and others are answered 400; `hostsProxyHeaders` has no effect",
    },
    Difference {
        id: "path-headers-are-replaced",
        fields: &[
            "backend saw x-forwarded-prefix",
            "backend saw x-replaced-path",
        ],
        reason: "`X-Forwarded-Prefix` and `X-Replaced-Path` say what Sluice has done, and nothing that came with the request",
    },
    Difference {
        id: "paths-have-no-query",
        fields: &["status", "answered by"],
        reason: "The `path` of `replacePath` is a path: with a query it is malformed, and its routes answer 503",
    },
    Difference {
        id: "compress-decides-otherwise",
        fields: &[
            "response vary",
            "response body",
            "response content-encoding",
            "response content-type",
        ],
        reason: "Compression is as RFC 9110 has it: `*` is any encoding, `no-transform` is kept, `Vary` stands where the encoding depends on what the client accepts and nowhere else",
    },
    Difference {
        id: "large-responses-are-cut",
        fields: &["status", "answered by"],
        reason: "A response without a length that grows beyond `maxResponseBodyBytes` is cut, as nothing is buffered",
    },
    Difference {
        id: "failed-handshakes-are-502",
        fields: &["status"],
        reason: "An endpoint whose certificate is not accepted is 502, and `Proxy-Status` says why",
    },
    Difference {
        id: "servers-are-called-by-their-service",
        fields: &["backend saw SNI"],
        reason: "Without a `serverName` endpoints are asked for `SERVICE.NAMESPACE.svc` by TLS, and their certificate must be for that",
    },
    Difference {
        id: "timeouts-are-those-of-settings",
        fields: &["status", "answered by"],
        reason: "`forwardingTimeouts` of a ServersTransport have no effect: the timeouts of the settings hold",
    },
    Difference {
        id: "no-answer-of-who-decides-is-503",
        fields: &["status"],
        reason: "A service of `forwardAuth` that cannot be reached, is late or breaks off is 503, and `Proxy-Status` says why",
    },
    Difference {
        id: "who-decides-is-told-of-the-client",
        fields: &["auth server saw x-*"],
        reason: "A service of `forwardAuth` is told of the client as backends are, `X-Forwarded-Method` and `X-Forwarded-Uri` are those of the request, and nothing that came with it changes that, whatever `trustForwardHeader` says",
    },
    Difference {
        id: "client-certificates-are-judged-by-the-route",
        fields: &["status", "answered by"],
        reason: "Who has not the client certificate that a route wants is answered 403, in plain HTTP, too",
    },
];
