//! `compress.yaml` and `buffering.yaml`.

use super::super::request::{ask, get};
use super::super::row::{Row, row};

pub(super) fn compress() -> Vec<Row> {
    [encodings(), kinds()].concat()
}

#[rustfmt::skip]
fn encodings() -> Vec<Row> {
    let accepting = |encodings: &str| get(LARGE).header("Accept-Encoding", encodings);
    vec![
        row("gzip", accepting("gzip")),
        row("br", accepting("br")),
        row("zstd", accepting("zstd")),
        row("all three", accepting("gzip, br, zstd")),
        row("deflate", accepting("deflate")).differs("compress-decides-otherwise"),
        row("any", accepting("*")).differs("compress-decides-otherwise"),
        row("none", get(LARGE)).differs("compress-decides-otherwise"),
        row("identity", accepting("identity")).differs("compress-decides-otherwise"),
        row("by weight", accepting("gzip;q=0.1, br;q=0.9")),
        row("gzip with a weight of 0", accepting("gzip;q=0")).differs("compress-decides-otherwise"),
        row("br alone: gzip and br", get("compress-br.test/?length=5000&header=content-type:text/html").header("Accept-Encoding", "gzip, br")),
        row("br alone: gzip", get("compress-br.test/?length=5000&header=content-type:text/html").header("Accept-Encoding", "gzip")).differs("compress-decides-otherwise"),
        row("zstd first: both", get("compress-zstd-first.test/?length=5000&header=content-type:text/html").header("Accept-Encoding", "gzip, zstd")),
        row("defaultEncoding: none", get("compress-default.test/?length=5000&header=content-type:text/html")).differs("compress-decides-otherwise"),
    ]
}

#[rustfmt::skip]
fn kinds() -> Vec<Row> {
    let gzip = |url| get(url).header("Accept-Encoding", "gzip");
    vec![
        row("a small body", gzip("compress.test/?length=1023&header=content-type:text/html")).differs("compress-decides-otherwise"),
        row("a body of 1024 bytes", gzip("compress.test/?length=1024&header=content-type:text/html")),
        row("minResponseBodyBytes 10", gzip("compress-small.test/?length=100&header=content-type:text/html")),
        row("a small body that is streamed", gzip("compress.test/?bytes=1023&header=content-type:text/html")).differs("compress-decides-otherwise"),
        row("a large body that is streamed", gzip("compress.test/?bytes=5000&header=content-type:text/html")),
        row("no content type", gzip("compress.test/?length=5000")),
        row("gRPC", gzip("compress.test/?length=5000&header=content-type:application/grpc")).differs("compress-decides-otherwise"),
        row("an image", gzip("compress.test/?length=5000&header=content-type:image/png")),
        row("encoded already", gzip("compress.test/?length=5000&header=content-type:text/html&header=content-encoding:br")).differs("compress-decides-otherwise"),
        row("excluded", gzip("compress-excluded.test/?length=5000&header=content-type:image/png")).differs("compress-decides-otherwise"),
        row("not excluded", gzip("compress-excluded.test/?length=5000&header=content-type:text/html")),
        row("included", gzip("compress-included.test/?length=5000&header=content-type:application/json")),
        row("not included", gzip("compress-included.test/?length=5000&header=content-type:text/html")).differs("compress-decides-otherwise"),
        row("included, with a parameter", gzip("compress-included.test/?length=5000&header=content-type:application/json;charset=utf-8")).differs("compress-decides-otherwise"),
        row("HEAD", ask("HEAD", LARGE).header("Accept-Encoding", "gzip")).differs("compress-decides-otherwise"),
        row("an error of the backend's", gzip("compress.test/?length=5000&header=content-type:text/html&status=500")),
        row("a validator of the backend's", gzip("compress.test/?length=5000&header=content-type:text/html&header=etag:abc")),
        row("Vary of the backend's", gzip("compress.test/?length=5000&header=content-type:text/html&header=vary:origin")).differs("compress-decides-otherwise"),
        row("no-transform", gzip("compress.test/?length=5000&header=content-type:text/html&header=cache-control:no-transform")).differs("compress-decides-otherwise"),
    ]
}

#[rustfmt::skip]
pub(super) fn buffering() -> Vec<Row> {
    vec![
        row("maxRequestBodyBytes: as many", ask("POST", "buffer-request.test/").body(1000)),
        row("maxRequestBodyBytes: one more", ask("POST", "buffer-request.test/").body(1001)),
        row("maxRequestBodyBytes: GET", get("buffer-request.test/")),
        row("maxResponseBodyBytes: as many", get("buffer-response.test/?bytes=1000")),
        row("maxResponseBodyBytes: one more", get("buffer-response.test/?bytes=1001")).differs("large-responses-are-cut"),
        row("maxResponseBodyBytes: one more, with its length", get("buffer-response.test/?length=1001")),
        row("no limit", ask("POST", "buffer-nothing.test/").body(100_000)),
    ]
}

const LARGE: &str = "compress.test/?length=5000&header=content-type:text/html";
