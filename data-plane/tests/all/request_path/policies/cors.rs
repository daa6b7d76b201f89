//! What browsers may do for other sites.

use http::Request;
use sluice_proto::{Cors, PolicyAction};

use super::*;

const GOOD: (&str, &str) = ("origin", "https://good.example");
const EVIL: (&str, &str) = ("origin", "https://evil.example");
const ASKS: (&str, &str) = ("access-control-request-method", "PUT");
const ALLOW_ORIGIN: &str = "access-control-allow-origin";

fn cors(change: impl FnOnce(&mut Cors)) -> PolicyAction {
    let mut cors = Cors {
        origins: vec!["https://good.example".to_owned()],
        origin_patterns: vec![],
        methods: vec!["GET".to_owned(), "PUT".to_owned()],
        headers: vec!["X-One".to_owned(), "X-Two".to_owned()],
        exposed_headers: vec!["X-Seen".to_owned()],
        credentials: false,
        max_age_s: Some(600),
        vary: false,
        preflight_status: 204,
        answer_all_preflights: true,
    };
    change(&mut cors);
    PolicyAction::Cors(cors)
}

fn all(cors: &mut Cors) {
    for names in [
        &mut cors.origins,
        &mut cors.methods,
        &mut cors.headers,
        &mut cors.exposed_headers,
    ] {
        *names = vec!["*".to_owned()];
    }
}

/// Returns what the answer says of CORS, but for Vary.
fn said(answer: &Answer) -> Vec<String> {
    let names = answer.headers.iter();
    let said = names.filter(|(name, _)| name.as_str().starts_with("access-control-"));
    let said = said.map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()));
    let mut said: Vec<_> = said.collect();
    said.sort();
    said
}

async fn preflight(guarded: &Guarded, origin: (&str, &str)) -> Answer {
    guarded.ask("OPTIONS", "/", &[origin, ASKS]).await
}

#[tokio::test]
async fn a_preflight_request_of_a_site_that_may_is_answered_here() {
    let guarded = Guarded::by([cors(|_| {})]).await;
    let answer = preflight(&guarded, GOOD).await;
    assert_eq!(answer.status, 204);
    assert_eq!(
        said(&answer),
        [
            "access-control-allow-headers: X-One, X-Two",
            "access-control-allow-methods: GET, PUT",
            "access-control-allow-origin: https://good.example",
            "access-control-max-age: 600",
        ]
    );
    assert_eq!(answer.header("vary"), "Origin");
    assert_eq!(answer.body, "");
    assert_eq!(answer.header("proxy-status"), "");
    assert_eq!(guarded.backend.connections(), 0);
    let line = guarded.edge.line(|line| line["status"] == 204).await;
    assert_eq!(line["policy"], "Middleware shop/p spec.p0");
    assert_eq!(line["error"], Value::Null);
    // Over HTTP/2, and as Traefik has it.
    let guarded = Guarded::by([cors(|cors| cors.preflight_status = 200)]).await;
    let request = Request::options("http://shop.example/")
        .header(GOOD.0, GOOD.1)
        .header(ASKS.0, ASKS.1);
    let mut client = Client::http2(guarded.edge.http()).await;
    let answer = client.ask(request.body(empty()).unwrap()).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header(ALLOW_ORIGIN), GOOD.1);
}

#[tokio::test]
async fn a_site_that_may_not_learns_nothing() {
    let guarded = Guarded::by([cors(|_| {})]).await;
    let answer = preflight(&guarded, EVIL).await;
    assert_eq!(answer.status, 204);
    assert_eq!(said(&answer), [""; 0]);
    assert_eq!(answer.header("vary"), "Origin");
    assert_eq!(guarded.backend.connections(), 0);
    let answer = guarded.get("/", &[EVIL]).await;
    assert_eq!(answer.status, 200);
    assert_eq!(said(&answer), [""; 0]);
    assert!(!format!("{:?}", answer.headers).contains("good.example"));
    // Where the policy does not answer it, the backend does.
    let guarded = Guarded::by([cors(|cors| cors.answer_all_preflights = false)]).await;
    let answer = preflight(&guarded, EVIL).await;
    assert!(answer.body.starts_with("OPTIONS /\n"), "{}", answer.body);
    assert_eq!(said(&answer), [""; 0]);
    assert_eq!(preflight(&guarded, GOOD).await.status, 204);
}

#[tokio::test]
async fn what_is_no_preflight_request_is_the_backends() {
    let guarded = Guarded::by([cors(|_| {})]).await;
    for (method, headers) in [
        ("OPTIONS", &[GOOD][..]),
        ("OPTIONS", &[ASKS]),
        ("GET", &[GOOD, ASKS]),
    ] {
        let answer = guarded.ask(method, "/", headers).await;
        let seen = answer.body.starts_with(&format!("{method} /\n"));
        assert!(seen, "{method} {headers:?}: {}", answer.body);
    }
}

#[tokio::test]
async fn a_response_says_what_scripts_may_do_with_it_once() {
    let generous = Backend::start(|_| async {
        let mut response = text("generous");
        for (name, value) in [
            ("access-control-allow-origin", "*"),
            ("access-control-allow-origin", "https://evil.example"),
            ("access-control-allow-credentials", "true"),
            ("access-control-allow-methods", "DELETE"),
            ("access-control-expose-headers", "X-Secret"),
            ("vary", "Accept"),
        ] {
            response.headers_mut().append(name, value.parse().unwrap());
        }
        response
    })
    .await;
    let guarded = Guarded::before(generous, [cors(|_| {})]);
    let answer = guarded.get("/", &[GOOD]).await;
    assert_eq!(
        said(&answer),
        [
            "access-control-allow-origin: https://good.example",
            "access-control-expose-headers: X-Seen",
        ]
    );
    let vary: Vec<_> = answer.headers.get_all("vary").iter().collect();
    assert_eq!(vary, ["Accept", "Origin"]);
    for headers in [&[EVIL][..], &[]] {
        let answer = guarded.get("/", headers).await;
        assert_eq!(said(&answer), [""; 0], "{headers:?}");
        // A cache must not give the one what the other got.
        assert_eq!(answer.headers.get_all("vary").iter().count(), 2);
    }
}

#[tokio::test]
async fn everybody_may_by_a_star_and_with_credentials_by_name() {
    let guarded = Guarded::by([cors(all)]).await;
    for headers in [&[EVIL][..], &[]] {
        let answer = guarded.get("/", headers).await;
        assert_eq!(answer.header(ALLOW_ORIGIN), "*");
        assert_eq!(answer.header("access-control-expose-headers"), "*");
        assert_eq!(answer.header("vary"), "");
    }
    let answer = preflight(&guarded, EVIL).await;
    assert_eq!(answer.header("access-control-allow-methods"), "*");
    let with_vary = Guarded::by([cors(|cors| {
        all(cors);
        cors.vary = true;
    })]);
    let answer = with_vary.await.get("/", &[EVIL]).await;
    assert_eq!(answer.header("vary"), "Origin");
    let guarded = Guarded::by([cors(|cors| {
        all(cors);
        cors.credentials = true;
    })])
    .await;
    let answer = guarded.get("/", &[EVIL]).await;
    assert_eq!(
        said(&answer),
        [
            "access-control-allow-credentials: true",
            "access-control-allow-origin: https://evil.example",
        ]
    );
    assert_eq!(answer.header("vary"), "Origin");
    assert_eq!(said(&guarded.get("/", &[]).await), [""; 0]);
    let names = ("access-control-request-headers", "x-any");
    let answer = guarded.ask("OPTIONS", "/", &[EVIL, ASKS, names]).await;
    assert_eq!(
        said(&answer),
        [
            "access-control-allow-credentials: true",
            "access-control-allow-headers: x-any",
            "access-control-allow-methods: PUT",
            "access-control-allow-origin: https://evil.example",
            "access-control-max-age: 600",
        ]
    );
}

#[tokio::test]
async fn origins_are_compared_whole() {
    let guarded = Guarded::by([cors(|cors| {
        cors.origins.push("http://Port.example:8080".to_owned());
        cors.origins.push("https://usual.example:443".to_owned());
        let pattern = "https://[a-z]+\\.many\\.example".to_owned();
        cors.origin_patterns = vec![pattern, "null|app://any".to_owned()];
    })])
    .await;
    for (origin, may) in [
        ("https://good.example", true),
        ("HTTPS://GOOD.example", true),
        ("http://good.example", false),
        ("https://good.example:8443", false),
        ("https://good.example.evil.example", false),
        ("https://evil.example/https://good.example", false),
        ("http://port.example:8080", true),
        ("http://port.example", false),
        ("https://usual.example", true),
        ("https://a.many.example", true),
        ("https://A.Many.example", true),
        ("https://a.b.many.example", false),
        ("https://a.many.example.evil.example", false),
        ("xhttps://a.many.example", false),
        ("https://axmany.example", false),
        ("null", true),
        ("nullx", false),
        ("app://any", true),
        ("app://anyone", false),
    ] {
        let answer = guarded.get("/", &[("origin", origin)]).await;
        let expected = if may { origin } else { "" };
        assert_eq!(answer.header(ALLOW_ORIGIN), expected, "{origin}");
    }
}

#[tokio::test]
async fn scripts_may_read_why_a_later_policy_refused() {
    let nobody = PolicyAction::AddressFilter(sluice_proto::AddressFilter {
        allowed: vec!["192.0.2.0/24".parse().unwrap()],
        denied: vec![],
        source: sluice_proto::Source::default(),
        status: 403,
    });
    let guarded = Guarded::by([cors(|_| {}), nobody]).await;
    let answer = guarded.get("/", &[GOOD]).await;
    assert_eq!(answer.status, 403);
    assert_eq!(answer.header(ALLOW_ORIGIN), GOOD.1);
    // Browsers send no credentials with it.
    assert_eq!(preflight(&guarded, GOOD).await.status, 204);
}

#[tokio::test]
async fn what_is_no_origin_is_refused() {
    let mut guarded = Guarded::by([]).await;
    let broken = policies([cors(|cors| {
        cors.origins = vec!["https://good.example/".to_owned()];
    })]);
    let refused = guarded.edge.apply(broken);
    assert_eq!(
        refused[0].reason,
        "\"https://good.example/\" is not an origin; write scheme://host or scheme://host:port, without a path, or \"*\" for all"
    );
}
