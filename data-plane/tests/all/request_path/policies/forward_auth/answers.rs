//! What the service's answer means.

use http::Request;

use super::*;

#[tokio::test]
async fn what_it_does_not_let_pass_gets_its_answer() {
    let decider = Decider::answering(|question| match question.header("authorization") {
        "good" => answer(204, &[("x-secret", "1")], ""),
        "redirected" => answer(302, &[("location", "https://login.example/")], "there"),
        _ => {
            let headers = [
                ("x-why", "no key"),
                ("set-cookie", "csrf=1"),
                ("content-type", "text/html"),
                ("connection", "x-hop"),
                ("x-hop", "1"),
            ];
            answer(403, &headers, "<p>no</p>")
        }
    })
    .await;
    let guarded = Guarded::by([decider.policy(|_| {})]).await;
    for mut client in [
        Client::http1(guarded.edge.http()).await,
        Client::http2(guarded.edge.http()).await,
    ] {
        let uri = match client {
            Client::Http1(_) => "/",
            Client::Http2(_) => "http://shop.example/",
        };
        let mut ask = async |key: &str| {
            let request = Request::get(uri).header("host", "shop.example");
            let request = request.header("authorization", key);
            client.ask(request.body(empty()).unwrap()).await
        };
        let denied = ask("bad").await;
        assert_eq!((denied.status.as_u16(), &*denied.body), (403, "<p>no</p>"));
        for (name, value) in [
            ("x-why", "no key"),
            ("set-cookie", "csrf=1"),
            ("content-type", "text/html"),
            ("content-length", "9"),
            ("x-hop", ""),
            ("proxy-status", ""),
        ] {
            assert_eq!(denied.header(name), value, "{name}");
        }
        // Not followed.
        let redirected = ask("redirected").await;
        assert_eq!(redirected.status, 302);
        assert_eq!(redirected.header("location"), "https://login.example/");
        assert_eq!(guarded.backend.connections(), 0);
    }
    let line = guarded.line("auth_denied").await;
    assert_eq!(line["policy"], "Middleware shop/p spec.p0");
    assert_eq!(line["status"], 403);
    let passed = guarded.get("/", &[("authorization", "good")]).await;
    assert_eq!(passed.status, 200);
    assert!(!passed.body.contains("x-secret"), "{}", passed.body);
    assert_eq!(passed.header("x-secret"), "");
}

#[tokio::test]
async fn the_backend_gets_listed_headers_of_the_answer_and_never_the_clients_own() {
    let decider = Decider::answering(|question| {
        let headers: &[_] = match question.header("x-ask") {
            "all" => &[
                ("x-user", "ada"),
                ("x-group", "a"),
                ("x-group", "b"),
                ("x-auth-level", "2"),
                ("x-forwarded-for", "192.0.2.9"),
                ("x-forwarded-user", "ada"),
                ("content-length", "0"),
            ],
            _ => &[],
        };
        answer(200, headers, "")
    })
    .await;
    let guarded = Guarded::by([decider.policy(|auth| {
        auth.response_headers = names(&["X-Group", "X_Team"]);
        auth.response_headers_pattern = Some("^X-(Auth|Forwarded)-|^X_Role_".to_owned());
        auth.user_header = Some("X-User".to_owned());
    })])
    .await
    .trusting();
    let seen = guarded.get("/", &SPOOFED).await.body;
    assert!(!seen.contains("root"), "{seen}");
    assert!(seen.contains("x-other: mine"), "{seen}");
    // A pattern does not make the backend forget who the client is.
    assert!(seen.contains("x-forwarded-for: 127.0.0.1"), "{seen}");
    let mut headers = SPOOFED.to_vec();
    headers.push(("x-ask", "all"));
    let seen = guarded.get("/", &headers).await.body;
    for line in [
        "x-user: ada\n",
        "x-group: a\n",
        "x-group: b\n",
        "x-auth-level: 2\n",
        "x-forwarded-for: 127.0.0.1\n",
        "x-forwarded-user: ada\n",
    ] {
        assert!(seen.contains(line), "{line}{seen}");
    }
    assert!(
        !seen.contains("root") && !seen.contains("192.0.2.9"),
        "{seen}"
    );
    let line = guarded.edge.line(|line| line["user"] == "ada").await;
    assert_eq!(line["status"], 200);
}

#[tokio::test]
async fn the_client_gets_listed_cookies_of_the_answer_instead_of_the_backends() {
    let decider = Decider::answering(|question| {
        let headers = [
            ("set-cookie", "session=new; Path=/"),
            ("set-cookie", "internal=1"),
        ];
        let count = if question.header("x-ask").is_empty() {
            0
        } else {
            2
        };
        answer(200, &headers[..count], "")
    })
    .await;
    let backend = Backend::start(|_| async {
        let cookies = [
            ("set-cookie", "session=old"),
            ("set-cookie", "sessions=other"),
        ];
        answer(200, &cookies, "web")
    })
    .await;
    let policy = decider.policy(|auth| auth.cookies = names(&["session"]));
    let guarded = Guarded::before(backend, [policy]);
    let cookies = |answer: &Answer| -> Vec<String> {
        let cookies = answer.headers.get_all("set-cookie").iter();
        cookies
            .map(|value| value.to_str().unwrap().to_owned())
            .collect()
    };
    let answer = guarded.get("/", &[("x-ask", "1")]).await;
    assert_eq!(cookies(&answer), ["sessions=other", "session=new; Path=/"]);
    let answer = guarded.get("/", &[]).await;
    assert_eq!(cookies(&answer), ["session=old", "sessions=other"]);
}

#[tokio::test]
async fn a_relative_location_is_seen_from_the_service_unless_it_is_kept() {
    let decider = Decider::answering(|_| answer(303, &[("location", "/login")], "")).await;
    let resolved = format!("http://{}/login", decider.service.address);
    for (keep, expected) in [(false, &*resolved), (true, "/login")] {
        let guarded = Guarded::by([decider.policy(|auth| auth.keep_location = keep)]).await;
        let answer = guarded.get("/", &[]).await;
        assert_eq!(answer.status, 303);
        assert_eq!(answer.header("location"), expected);
    }
}

#[tokio::test]
async fn whoever_has_not_signed_in_is_sent_where_that_is_possible() {
    let decider = Decider::answering(|question| {
        let status = question.header("x-status").parse().unwrap();
        answer(status, &[("set-cookie", "a=b")], "no")
    })
    .await;
    let strip = PolicyAction::Rewrite(sluice_proto::Rewrite::StripPrefix {
        prefixes: names(&["/shop"]),
        whole_elements: true,
    });
    let sign_in = decider.policy(|auth| {
        auth.sign_in_url = Some("https://login.example/?rd={url}".to_owned());
    });
    let guarded = Guarded::by([strip, sign_in]).await;
    let answer = guarded
        .get("/shop/cart?a=b&c", &[("x-status", "401")])
        .await;
    assert_eq!(answer.status, 302);
    assert_eq!(
        answer.header("location"),
        "https://login.example/?rd=http%3A%2F%2Fshop.example%2Fshop%2Fcart%3Fa%3Db%26c"
    );
    assert_eq!(decider.last().header("x-forwarded-uri"), "/cart?a=b&c");
    let answer = guarded.get("/", &[("x-status", "403")]).await;
    assert_eq!((answer.status.as_u16(), &*answer.body), (403, "no"));
    assert_eq!(guarded.backend.connections(), 0);
}

#[tokio::test]
async fn what_cannot_be_asked_or_read_is_refused() {
    let nowhere = SocketAddr::from(([192, 0, 2, 1], 80));
    let mut guarded = Guarded::by([]).await;
    for (policy, reason) in [
        (
            asking(nowhere, |auth| auth.url = "ftp://auth/".to_owned()),
            "\"ftp://auth/\" is not an http or https URL, which has a host and no user name",
        ),
        (
            asking(nowhere, |auth| {
                auth.response_headers = names(&["Content-Length"])
            }),
            "the header \"Content-Length\" frames messages, or no message is without; it cannot be changed",
        ),
        (
            asking(nowhere, |auth| auth.request_headers = names(&["a b"])),
            "\"a b\" is not a header's name",
        ),
    ] {
        let refused = guarded.edge.apply(policies([policy]));
        assert_eq!(refused[0].reason, reason);
    }
}

/// What a client says of itself, in every spelling that a backend could take for the answer's.
const SPOOFED: [(&str, &str); 13] = [
    ("x-user", "root"),
    ("x_user", "root"),
    ("x-group", "root"),
    ("x_group", "root"),
    ("x-team", "root"),
    ("x_team", "root"),
    ("x-role-here", "root"),
    ("x_role_here", "root"),
    ("x-auth-level", "root"),
    ("x_auth_level", "root"),
    ("x-auth-other", "root"),
    ("x-forwarded-user", "root"),
    ("x-other", "mine"),
];
