//! How long things may take on a route, where it is not as the settings say.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use sluice_proto::{BackendProtocol, PolicyAction, RouteTimeouts};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::*;

const HOUR: Duration = Duration::from_secs(3_600);
const MOMENT: Duration = Duration::from_millis(50);

/// A route that limits this, while the settings allow an hour for anything.
fn limited(backend: Backend, limit: impl FnOnce(&mut RouteTimeouts)) -> Guarded {
    let mut timeouts = RouteTimeouts::default();
    limit(&mut timeouts);
    let mut guarded = Guarded::before(backend, [PolicyAction::Timeouts(timeouts)]);
    guarded.edge.settings(|settings| {
        settings.timeouts.connect = HOUR;
        settings.timeouts.response_headers = HOUR;
        settings.timeouts.request_body_idle = HOUR;
        settings.timeouts.response_body_idle = HOUR;
    });
    guarded
}

type Frames = mpsc::Sender<Result<Frame<Bytes>, Infallible>>;

fn channel() -> (Frames, Body) {
    let (frames, receiver) = mpsc::channel(1);
    let body = StreamBody::new(ReceiverStream::new(receiver)).boxed();
    (frames, body)
}

async fn silent() -> Backend {
    Backend::start(|_| std::future::pending()).await
}

/// A backend that sends a piece whenever `pause` has passed, for ever.
async fn endless(piece: &'static [u8], pause: Duration) -> Backend {
    Backend::start(move |_| async move {
        let (frames, body) = channel();
        tokio::spawn(async move {
            let piece = || Ok(Frame::data(Bytes::from_static(piece)));
            while frames.send(piece()).await.is_ok() {
                tokio::time::sleep(pause).await;
            }
        });
        Response::new(body)
    })
    .await
}

/// A backend that sends one piece and no more.
async fn stuck() -> Backend {
    Backend::start(|_| async {
        let (frames, body) = channel();
        tokio::spawn(async move {
            let piece = Frame::data(Bytes::from_static(b"piece"));
            frames.send(Ok(piece)).await.unwrap();
            frames.closed().await;
        });
        Response::new(body)
    })
    .await
}

/// Returns the clients of both versions and their request.
async fn clients(guarded: &Guarded) -> [(Client, Request<Body>); 2] {
    let request = |uri: &str| {
        let request = Request::get(uri).header("host", "shop.example");
        request.body(empty()).unwrap()
    };
    let address = guarded.edge.http();
    [
        (Client::http1(address).await, request("/")),
        (
            Client::http2(address).await,
            request("http://shop.example/"),
        ),
    ]
}

/// Reads a response whose header section comes, and says whether it comes whole.
async fn comes_whole(client: &mut Client, request: Request<Body>) -> bool {
    let response = client.send(request).await.unwrap();
    assert_eq!(response.status(), 200);
    within("the end", response.into_body().collect())
        .await
        .is_ok()
}

#[tokio::test]
async fn a_route_has_its_own_time_for_the_header_section_of_a_response() {
    let guarded = limited(silent().await, |limits| {
        limits.response_headers = Some(MOMENT);
    });
    let answer = guarded.get("/", &[]).await;
    assert_eq!(answer.status, 504);
    assert_eq!(answer.proxy_error(), "http_response_timeout");
    guarded.line("response_timeout").await;
}

#[tokio::test]
async fn a_route_has_its_own_time_to_connect() {
    // Nobody accepts, and there is room for one: others wait.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    socket.bind(&any.into()).unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let _only = TcpStream::connect(address).await.unwrap();
    let mut guarded = limited(silent().await, |limits| limits.connect = Some(MOMENT));
    guarded.edge.apply([endpoints("mirror", [address])]);
    let answer = guarded.get("/", &[]).await;
    assert_eq!(answer.status, 502);
    assert_eq!(answer.proxy_error(), "connection_timeout");
}

#[tokio::test]
async fn a_route_has_its_own_time_between_two_pieces_of_a_request() {
    let swallowing = Backend::start(|request| async move {
        let _ = request.into_body().collect().await;
        text("whole")
    })
    .await;
    let guarded = limited(swallowing, |limits| limits.request_body_idle = Some(MOMENT));
    let (frames, body) = channel();
    let piece = Frame::data(Bytes::from_static(b"piece"));
    frames.send(Ok(piece)).await.unwrap();
    let request = Request::post("/").header("host", "shop.example");
    let answer = send(guarded.edge.http(), request.body(body).unwrap()).await;
    assert_eq!(answer.status, 408);
}

#[tokio::test]
async fn a_route_has_its_own_time_between_two_pieces_of_a_response() {
    let guarded = limited(stuck().await, |limits| {
        limits.response_body_idle = Some(MOMENT);
    });
    for (mut client, request) in clients(&guarded).await {
        assert!(!comes_whole(&mut client, request).await);
    }
    guarded.line("response_incomplete").await;
}

#[tokio::test]
async fn a_request_that_takes_too_long_in_all_is_answered_504() {
    let guarded = limited(silent().await, |limits| limits.request = Some(MOMENT));
    for (mut client, request) in clients(&guarded).await {
        let answer = client.ask(request).await;
        assert_eq!(answer.status, 504);
        assert_eq!(answer.proxy_error(), "http_response_timeout");
    }
    let line = guarded.line("request_timeout").await;
    assert_eq!(line["status"], 504);
}

#[tokio::test]
async fn a_response_that_takes_too_long_in_all_is_cut_short() {
    for backend in [endless(b"piece", MOMENT / 10).await, stuck().await] {
        let guarded = limited(backend, |limits| limits.request = Some(MOMENT * 4));
        for (mut client, request) in clients(&guarded).await {
            assert!(!comes_whole(&mut client, request).await);
        }
        let line = guarded.line("request_timeout").await;
        assert_eq!(line["status"], 200);
    }
}

// There is always more to send to it: the endpoint is never waited for.
#[tokio::test]
async fn a_client_that_is_slow_gets_no_more_time() {
    let flood = endless(&[b'a'; 64 << 10], Duration::ZERO).await;
    let mut guarded = limited(flood, |limits| limits.request = Some(MOMENT * 4));
    // Over HTTP/2, a good deal of it waits here.
    guarded
        .edge
        .apply([backend("mirror", BackendProtocol::H2c)]);
    for (mut client, request) in clients(&guarded).await {
        let mut body = client.send(request).await.unwrap().into_body();
        let reading = async {
            while let Some(Ok(_)) = body.frame().await {
                tokio::time::sleep(MOMENT / 10).await;
            }
        };
        within("the end", reading).await;
    }
    guarded.line("request_timeout").await;
}

#[tokio::test]
async fn what_ends_in_time_is_not_noticed() {
    let guarded = limited(Backend::saying("whole").await, |limits| {
        limits.connect = Some(HOUR);
        limits.response_headers = Some(HOUR);
        limits.request_body_idle = Some(HOUR);
        limits.response_body_idle = Some(HOUR);
        limits.request = Some(HOUR);
    });
    for (mut client, request) in clients(&guarded).await {
        assert_eq!(client.ask(request).await.body, "whole");
    }
}

#[tokio::test]
async fn of_two_policies_the_later_one_holds_and_what_it_does_not_say_the_earlier_one_says() {
    let timeouts = |limits: RouteTimeouts| PolicyAction::Timeouts(limits);
    let first = RouteTimeouts {
        response_headers: Some(MOMENT * 4),
        request: Some(MOMENT),
        ..RouteTimeouts::default()
    };
    let second = RouteTimeouts {
        request: Some(HOUR),
        ..RouteTimeouts::default()
    };
    let policies = [timeouts(first), timeouts(second)];
    let guarded = Guarded::before(silent().await, policies);
    assert_eq!(guarded.get("/", &[]).await.status, 504);
    guarded.line("response_timeout").await;
}
