//! Limits: how often, and how many at once.

use std::num::{NonZeroU32, NonZeroU64};
use std::sync::Arc;
use std::time::Duration;

use sluice_proto::{ConcurrencyLimit, PolicyAction, RateLimit, Source, SourceBy};
use tokio::sync::Semaphore;

use super::*;

fn limiting(requests: u64, period: Duration, burst: u64, source: SourceBy) -> RateLimit {
    RateLimit {
        requests: NonZeroU64::new(requests).unwrap(),
        period,
        burst: NonZeroU64::new(burst).unwrap(),
        source: Source::from(source),
        delay: Duration::ZERO,
    }
}

const HOUR: Duration = Duration::from_secs(3_600);

#[tokio::test]
async fn a_burst_passes_and_then_whoever_comes_too_often_is_told_when_to_come_back() {
    let limit = limiting(1, HOUR, 3, SourceBy::Client);
    let guarded = Guarded::by([PolicyAction::RateLimit(limit)]).await;
    for _ in 0..3 {
        assert_eq!(guarded.get("/", &[]).await.status, 200);
    }
    // Another name for oneself is no other client.
    let answer = guarded.get("/", &[("x-forwarded-for", "192.0.2.1")]).await;
    assert_eq!(answer.status, 429);
    assert_eq!(answer.proxy_error(), "http_request_denied");
    let wait: u64 = answer.header("retry-after").parse().unwrap();
    assert!((3_500..=3_600).contains(&wait), "{wait}");
    let line = guarded.line("rate_limited").await;
    assert_eq!(line["policy"], "Middleware shop/p spec.p0");
    assert_eq!(
        guarded.get("/", &[("host", "open.example")]).await.status,
        200
    );
}

#[tokio::test]
async fn each_source_has_a_bucket_of_its_own() {
    for (source, name, values) in [
        (
            SourceBy::Client,
            "x-forwarded-for",
            ["192.0.2.1", "192.0.2.2"],
        ),
        (SourceBy::Header("X-Key".to_owned()), "x-key", ["a", "b"]),
        (SourceBy::Host, "host", ["shop.example", "SHOP.example:80"]),
    ] {
        let is_host = source == SourceBy::Host;
        let limit = limiting(1, HOUR, 1, source);
        let guarded = Guarded::by([PolicyAction::RateLimit(limit)])
            .await
            .trusting();
        assert_eq!(guarded.get("/", &[(name, values[0])]).await.status, 200);
        assert_eq!(guarded.get("/", &[(name, values[0])]).await.status, 429);
        // Two spellings of a host are one.
        let other = if is_host { 429 } else { 200 };
        assert_eq!(
            guarded.get("/", &[(name, values[1])]).await.status,
            other,
            "{name}"
        );
    }
}

#[tokio::test]
async fn what_was_counted_survives_a_change_of_the_limit() {
    let limit = |requests| PolicyAction::RateLimit(limiting(requests, HOUR, 2, SourceBy::Client));
    let mut guarded = Guarded::by([limit(1)]).await;
    for status in [200, 200, 429] {
        assert_eq!(guarded.get("/", &[]).await.status, status);
    }
    assert_eq!(guarded.edge.apply(policies([limit(2)])), []);
    assert_eq!(guarded.get("/", &[]).await.status, 429);
}

#[tokio::test]
async fn whoever_is_a_little_early_waits() {
    let mut limit = limiting(10, Duration::from_secs(1), 1, SourceBy::Client);
    limit.delay = Duration::from_millis(500);
    let guarded = Guarded::by([PolicyAction::RateLimit(limit)]).await;
    let start = tokio::time::Instant::now();
    for _ in 0..4 {
        assert_eq!(guarded.get("/", &[]).await.status, 200);
    }
    assert!(
        start.elapsed() >= Duration::from_millis(290),
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test]
async fn only_so_many_requests_are_in_progress_at_once() {
    let gate = Arc::new(Semaphore::new(0));
    let (held, waiting) = (Arc::clone(&gate), Arc::new(Semaphore::new(0)));
    let arrived = Arc::clone(&waiting);
    let slow = Backend::start(move |_| {
        let (held, arrived) = (Arc::clone(&held), Arc::clone(&arrived));
        async move {
            arrived.add_permits(1);
            held.acquire().await.unwrap().forget();
            text("done")
        }
    })
    .await;
    let limit = PolicyAction::ConcurrencyLimit(ConcurrencyLimit {
        requests: NonZeroU32::new(2).unwrap(),
        source: Source::from(SourceBy::Host),
    });
    let policies = policies([limit]);
    let mut resources = service("slow", [slow.address]).to_vec();
    resources.push(guarded_route("shop.example", "slow", &policies));
    resources.extend(policies);
    let edge = TestEdge::serving(resources);
    let address = edge.http();
    let in_progress = [(); 2].map(|()| tokio::spawn(get(address, "shop.example", "/")));
    let both = within("both requests", waiting.acquire_many(2));
    both.await.unwrap().forget();
    let answer = get(address, "shop.example", "/").await;
    assert_eq!(answer.status, 429);
    gate.add_permits(2);
    for request in in_progress {
        assert_eq!(request.await.unwrap().status, 200);
    }
    // Their places are free again.
    gate.add_permits(1);
    eventually("a free place", async || {
        get(address, "shop.example", "/").await.status == 200
    })
    .await;
}
