//! Who may ask: by address, by name and password.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sluice_proto::{AddressFilter, BasicAuth, Credential, PolicyAction, Source, SourceBy};
use tokio::task::JoinSet;

use super::*;

fn admitting(ranges: &[&str], by: SourceBy) -> PolicyAction {
    PolicyAction::AddressFilter(AddressFilter {
        allowed: ranges.iter().map(|range| range.parse().unwrap()).collect(),
        denied: vec![],
        source: Source::from(by),
        status: AddressFilter::FORBIDDEN,
    })
}

#[tokio::test]
async fn an_address_filter_lets_only_its_ranges_pass() {
    let guarded = Guarded::by([admitting(&["192.0.2.0/24"], SourceBy::Client)]).await;
    // An untrusted peer is the client, whatever it says.
    let spoofed = [
        ("x-forwarded-for", "192.0.2.1"),
        ("x_forwarded_for", "192.0.2.1"),
        ("cf-connecting-ip", "192.0.2.1"),
        ("connection", "x-forwarded-for"),
    ];
    let answer = guarded.get("/", &spoofed).await;
    assert_eq!(answer.status, 403);
    assert_eq!(answer.proxy_error(), "http_request_denied");
    let line = guarded.line("address_denied").await;
    assert_eq!(line["client"], "127.0.0.1");
    assert_eq!(line["policy"], "Middleware shop/p spec.p0");
    // A trusted one says who it is.
    let guarded = guarded.trusting();
    let forwarded = |client| [("x-forwarded-for", client)];
    assert_eq!(guarded.get("/", &forwarded("192.0.2.1")).await.status, 200);
    assert_eq!(guarded.get("/", &forwarded("192.0.3.1")).await.status, 403);
    let left = forwarded("192.0.2.1, 192.0.3.1");
    assert_eq!(guarded.get("/", &left).await.status, 403);
}

#[tokio::test]
async fn denied_ranges_win() {
    let filter = AddressFilter {
        allowed: vec![],
        denied: vec!["127.0.0.0/8".parse().unwrap()],
        source: Source::default(),
        status: 404,
    };
    let guarded = Guarded::by([PolicyAction::AddressFilter(filter)]).await;
    assert_eq!(guarded.get("/", &[]).await.status, 404);
}

#[tokio::test]
async fn the_peer_counts_where_the_filter_says_so() {
    let guarded = Guarded::by([admitting(&["127.0.0.0/8"], SourceBy::Peer)])
        .await
        .trusting();
    let elsewhere = [("x-forwarded-for", "192.0.2.1")];
    assert_eq!(guarded.get("/", &elsewhere).await.status, 200);
}

#[tokio::test]
async fn an_entry_of_x_forwarded_for_counts_up_to_the_first_stranger() {
    let depth = SourceBy::ForwardedDepth(2);
    let guarded = Guarded::by([admitting(&["192.0.2.0/24"], depth)])
        .await
        .trusting();
    for (forwarded, status) in [
        ("192.0.2.1, 127.0.0.9", 200),
        ("192.0.3.1, 127.0.0.9", 403),
        // The second entry from the right is what a stranger wrote.
        ("192.0.2.1, 192.0.3.1", 403),
        ("127.0.0.9", 403),
    ] {
        let answer = guarded.get("/", &[("x-forwarded-for", forwarded)]).await;
        assert_eq!(answer.status, status, "{forwarded}");
    }
}

fn asking(change: impl FnOnce(&mut BasicAuth), credentials: &[(&str, String)]) -> PolicyAction {
    let credential = |(user, hash): &(&str, String)| Credential {
        user: (*user).to_owned(),
        hash: hash.clone(),
    };
    let mut auth = BasicAuth {
        realm: "the \"shop\"".to_owned(),
        credentials: credentials.iter().map(credential).collect(),
        remove_authorization: false,
        user_header: None,
    };
    change(&mut auth);
    PolicyAction::BasicAuth(auth)
}

// An open route beside a guarded one: whoever spells the guarded path in another way must not reach its backend by it.
#[tokio::test]
async fn no_spelling_of_a_guarded_path_leads_around_its_policy() {
    let mut guarded = Guarded::by([]).await;
    let policies = policies([admitting(&["192.0.2.0/24"], SourceBy::Client)]);
    let Resource::Route(plain) = route("open.example", "/admin", "mirror") else {
        panic!("a route");
    };
    let Resource::Policy(policy) = &policies[0] else {
        panic!("a policy");
    };
    let admin = Resource::Route(Arc::new(Route {
        policies: vec![policy.name.clone()],
        ..Route::clone(&plain)
    }));
    assert_eq!(guarded.edge.apply(policies.into_iter().chain([admin])), []);
    for path in [
        "/admin",
        "/%61dmin",
        "//admin",
        "/./admin",
        "/x/../admin",
        "/x/%2e%2e/admin/y",
        "/%2E/admin?q",
    ] {
        let answer = guarded.get(path, &[("host", "open.example")]).await;
        assert_eq!(answer.status, 403, "{path}");
    }
    // What a backend gets is what was compared.
    let seen = guarded
        .get("/x//y/../%7Ez?q=//", &[("host", "open.example")])
        .await;
    assert!(seen.body.starts_with("GET /x/~z?q=//\n"), "{}", seen.body);
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

fn bcrypted(password: &str, cost: u32) -> String {
    bcrypt::hash(password, cost).unwrap()
}

#[tokio::test]
async fn only_a_right_password_passes() {
    let users = [
        ("ada", bcrypted("lovelace", 4)),
        ("test", "$apr1$H6uskkkW$IgXLP6ewTrSuBkTrqE8wj/".to_owned()),
        ("sha", "{SHA}qUqP5cyxm6YcTAhz05Hph5gvu9M=".to_owned()),
    ];
    let guarded = Guarded::by([asking(|_| {}, &users)]).await;
    for (user, password, status) in [
        ("ada", "lovelace", 200),
        ("ada", "lovelace", 200),
        ("test", "test", 200),
        ("sha", "test", 200),
        ("ada", "Lovelace", 401),
        ("ada", "Lovelace", 401),
        ("nobody", "lovelace", 401),
        ("ada", "", 401),
    ] {
        let answer = guarded
            .get("/", &[("authorization", &basic(user, password))])
            .await;
        assert_eq!(answer.status, status, "{user}:{password}");
    }
    let line = guarded.line("credentials_wrong").await;
    assert_eq!(line["status"], 401);
    let passed = guarded.edge.line(|line| line["status"] == 200).await;
    assert_eq!(passed["user"], "ada");
    for authorization in ["Bearer x", "Basic", "Basic ???"] {
        let answer = guarded.get("/", &[("authorization", authorization)]).await;
        assert_eq!(answer.status, 401, "{authorization}");
        assert_eq!(
            answer.header("www-authenticate"),
            "Basic realm=\"the shop\""
        );
    }
}

#[tokio::test]
async fn the_backend_learns_of_the_user_what_the_policy_says() {
    let users = [("ada", bcrypted("lovelace", 4))];
    let right = basic("ada", "lovelace");
    let headers = [
        ("authorization", right.as_str()),
        ("x-user", "root"),
        ("x_user", "root"),
    ];
    for name in ["x-user", "x_user"] {
        let change = |auth: &mut BasicAuth| {
            auth.remove_authorization = true;
            auth.user_header = Some(name.to_uppercase());
        };
        let guarded = Guarded::by([asking(change, &users)]).await;
        let seen = guarded.get("/", &headers).await.body;
        assert!(seen.contains(&format!("{name}: ada")), "{seen}");
        assert!(
            !seen.contains("authorization") && !seen.contains("root"),
            "{seen}"
        );
    }
}

#[tokio::test]
async fn a_user_who_is_none_any_more_does_not_pass() {
    let users = [("ada", bcrypted("lovelace", 4))];
    let mut guarded = Guarded::by([asking(|_| {}, &users)]).await;
    let right = basic("ada", "lovelace");
    let headers = [("authorization", right.as_str())];
    assert_eq!(guarded.get("/", &headers).await.status, 200);
    let others = [("eve", bcrypted("lovelace", 4))];
    assert_eq!(guarded.edge.apply(policies([asking(|_| {}, &others)])), []);
    assert_eq!(guarded.get("/", &headers).await.status, 401);
}

// Two cores, and hashes that take a good part of a second: if a core computed them, the neighbours would wait for each.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_wrong_passwords_leaves_neighbours_alone() {
    let users = [("ada", bcrypted("lovelace", 11))];
    let guarded = Guarded::by([asking(|_| {}, &users)]).await;
    let address = guarded.edge.http();
    let mut flood = JoinSet::new();
    for attacker in 0..20 {
        flood.spawn(async move {
            let mut statuses = Vec::new();
            for guess in 0..10 {
                let wrong = basic("ada", &format!("{attacker}-{guess}"));
                let request = Request::get("/")
                    .header("host", "shop.example")
                    .header("authorization", wrong);
                statuses.push(send(address, request.body(empty()).unwrap()).await.status);
            }
            statuses
        });
    }
    let mut slowest = Duration::ZERO;
    let mut neighbours = 0;
    let mut statuses = Vec::new();
    while !flood.is_empty() {
        tokio::select! {
            Some(done) = flood.join_next() => statuses.extend(done.unwrap()),
            (answer, took) = neighbour(address) => {
                assert_eq!(answer.status, 200);
                slowest = slowest.max(took);
                neighbours += 1;
            }
        }
    }
    assert!(
        statuses
            .iter()
            .all(|status| matches!(status.as_u16(), 401 | 503)),
        "{statuses:?}"
    );
    assert!(statuses.iter().any(|status| *status == 401), "{statuses:?}");
    assert!(neighbours > 0);
    println!("{neighbours} neighbours during the flood, the slowest in {slowest:?}");
}

async fn neighbour(address: SocketAddr) -> (Answer, Duration) {
    let start = tokio::time::Instant::now();
    let answer = get(address, "open.example", "/").await;
    (answer, start.elapsed())
}
