//! The access log: one JSON line for each request, with all that somebody looks for.

use http::Request;
use serde_json::Value;

use super::harness::*;

#[tokio::test]
async fn a_line_says_who_asked_what_and_who_answered() {
    let web = Backend::saying("twelve bytes").await;
    let mut resources = vec![route("shop.example", "/cart", "web")];
    resources.extend(service("web", [web.address]));
    let mut edge = TestEdge::serving(resources);
    get(edge.http(), "shop.example", "/cart/before").await;
    edge.settings(|settings| settings.access_log.enabled = true);
    let request = Request::post("/cart/1?token=secret")
        .header("host", "Shop.example:80")
        .header("user-agent", "curl/8");
    send(edge.http(), request.body(full("body")).unwrap()).await;
    let line = edge.line(|_| true).await;
    let expected = [
        ("client", "127.0.0.1".into()),
        ("peer", "127.0.0.1".into()),
        ("method", "POST".into()),
        ("scheme", "http".into()),
        ("host", "shop.example".into()),
        ("path", "/cart/1".into()),
        ("protocol", "HTTP/1.1".into()),
        ("status", 200.into()),
        ("bytes_received", 4.into()),
        ("bytes_sent", 12.into()),
        ("namespace", "shop".into()),
        ("ingress", "web".into()),
        ("route", "shop/web shop.example /cart".into()),
        ("backend", "shop/web:80".into()),
        ("endpoint", web.address.to_string().into()),
        ("tries", 1.into()),
        ("error", Value::Null),
        ("problem", Value::Null),
        ("user_agent", "curl/8".into()),
    ];
    for (field, value) in expected {
        assert_eq!(line[field], value, "{field} in {line}");
    }
    let took = line["duration_ms"].as_f64().unwrap();
    let headers = line["upstream_headers_ms"].as_f64().unwrap();
    assert!(
        0.0 < headers && headers <= took && took < 20_000.0,
        "{line}"
    );
    let time = line["time"].as_str().unwrap();
    assert!(
        time.starts_with("20") && time.ends_with('Z') && time.len() == 24,
        "{time}"
    );
    assert!(
        !line.to_string().contains("secret"),
        "the query is nobody's business: {line}"
    );
    assert_eq!(edge.lines().len(), 1, "nothing was logged while it was off");
}

#[tokio::test]
async fn a_request_that_nothing_takes_and_one_whose_client_left_are_logged() {
    let silent = Backend::raw(|stream| async move {
        let _held = stream;
        std::future::pending::<()>().await;
    })
    .await;
    let mut resources = vec![route("silent.example", "/", "silent")];
    resources.extend(service("silent", [silent.address]));
    let mut edge = TestEdge::serving(resources);
    edge.settings(|settings| settings.access_log.enabled = true);
    get(edge.http(), "nobody.example", "/").await;
    let line = edge.line(|line| line["host"] == "nobody.example").await;
    assert_eq!(
        (&line["status"], &line["error"]),
        (&404.into(), &"no_route".into())
    );
    assert_eq!(line["route"], Value::Null);

    let mut stream = Stream::connect(edge.http()).await;
    stream
        .send("GET / HTTP/1.1\r\nHost: silent.example\r\n\r\n")
        .await;
    eventually("the request at the backend", async || {
        silent.connections() == 1
    })
    .await;
    drop(stream);
    let line = edge.line(|line| line["host"] == "silent.example").await;
    assert_eq!(
        (&line["status"], &line["error"]),
        (&499.into(), &"client_closed".into())
    );
}
