//! `retry.yaml`.

use super::super::request::{ask, get};
use super::super::row::{Row, row};

#[rustfmt::skip]
pub(super) fn rows() -> Vec<Row> {
    vec![
        row("three attempts: two failures", get("retry-three.test/?fail=2")),
        row("three attempts: three failures", get("retry-three.test/?fail=3")),
        row("three attempts: a status that is not listed", get("retry-three.test/?status=500")),
        row("three attempts: POST", ask("POST", "retry-three.test/?fail=2").body(10)),
        row("three attempts: PUT", ask("PUT", "retry-three.test/?fail=2").body(10)),
        row("three attempts: a large PUT", ask("PUT", "retry-three.test/?fail=1").body(3_000_000)),
        row("retryNonIdempotentMethod: POST", ask("POST", "retry-posts.test/?fail=2").body(10)),
        row("a range: one failure", get("retry-range.test/?fail=1")),
        row("a range: two failures", get("retry-range.test/?fail=2")),
        row("one attempt: one failure", get("retry-once.test/?fail=1")),
        row("no attempt", get("retry-zero.test/")).unserved().differs("broken-route-is-unavailable"),
        row("one of two endpoints refuses", get("retry-network.test/")).times(4),
        row("one of two endpoints refuses: POST", ask("POST", "retry-network.test/").body(10)).times(4),
        row("all endpoints refuse", get("retry-refused.test/")),
    ]
}
