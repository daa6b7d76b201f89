//! One of the two processes ends before its time, or hangs: somebody serves all the same.

use std::time::Duration;

use rustix::process::Signal;
use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::life::harness::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_successor_that_dies_before_it_serves_costs_nothing() {
    let site = Site::new();
    let web = Backend::saying("web").await;
    let mut control_plane = site.control_plane().await;
    let _old = site.data_plane();
    let _session = control_plane.serve(7, &shop(web.address)).await;
    site.ready().await;
    // It takes the one listener and cannot open the other, so it is never done.
    let _holder = TcpListener::bind(site.metrics()).await.unwrap();
    let listen = format!("http={},https={}", site.http(), site.metrics());
    let pod = site.pod("new");
    let new = pod.start_with(&["--listen", &listen]);
    pod.unready("not all listeners are open").await;
    assert_eq!(site.ask("ready").await.code, Some(0));
    new.end(Signal::KILL).await;
    for _ in 0..50 {
        fetch(site.http()).await.unwrap();
    }
    site.first_part("holder").await;
    let next = site.pod("next");
    let _next = next.start();
    next.ready().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_successor_that_dies_while_it_serves_gives_back() {
    let site = Site::new();
    let web = Backend::saying("web").await;
    let mut control_plane = site.control_plane().await;
    let old = site.data_plane();
    let _session = control_plane.serve(7, &shop(web.address)).await;
    for round in ["one", "two"] {
        let pod = site.pod(round);
        let new = pod.start();
        pod.ready().await;
        site.first_part("handed over").await;
        new.end(Signal::KILL).await;
        // Who connects now waits in the queue of a socket that both have had.
        for _ in 0..50 {
            fetch(site.http()).await.unwrap();
        }
        site.first_part("holder").await;
        assert_eq!(site.status().await["state"], "serving");
    }
    assert!(old.end(Signal::TERM).await.success());
    site.refuses_connections().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_successor_that_hangs_while_it_serves_gives_back() {
    let site = Site::new();
    let web = Backend::saying("web").await;
    let mut control_plane = site.control_plane().await;
    let _old = site.data_plane();
    let _session = control_plane.serve(7, &shop(web.address)).await;
    let pod = site.pod("new");
    let new = pod.start();
    pod.ready().await;
    site.first_part("handed over").await;
    new.signal(Signal::STOP);
    site.first_part("holder").await;
    for _ in 0..50 {
        fetch(site.http()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_successor_that_is_told_to_stop_gives_back_at_once() {
    let site = Site::new();
    let never = Backend::raw(async |stream: tokio::net::TcpStream| {
        let _open = stream;
        std::future::pending::<()>().await;
    })
    .await;
    let web = Backend::saying("web").await;
    let mut resources = shop(web.address);
    resources.push(route("never.example", "/", "never"));
    resources.extend(service("never", [never.address]));
    let mut control_plane = site.control_plane().await;
    let _old = site.data_plane();
    let _session = control_plane.serve(7, &resources).await;
    let pod = site.pod("new");
    let new = pod.start();
    pod.ready().await;
    site.first_part("handed over").await;
    // It has something to finish, so that it does not end at once.
    let mut client = Stream::connect(site.http()).await;
    client
        .send("GET / HTTP/1.1\r\nHost: never.example\r\n\r\n")
        .await;
    eventually("the request at the backend", async || {
        never.connections() == 1
    })
    .await;
    let load = Load::start(site.http());
    load.more(50).await;
    new.signal(Signal::TERM);
    site.first_part("holder").await;
    pod.unready("draining").await;
    load.more(50).await;
    drop(client);
    assert!(new.ended().await.success());
    load.more(50).await;
    assert_eq!(load.end().await.1, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_while_the_old_one_drains_takes_over() {
    let site = Site::new();
    let web = Backend::saying("web").await;
    let mut control_plane = site.control_plane().await;
    let old = site.data_plane();
    let _session = control_plane.serve(7, &shop(web.address)).await;
    site.ready().await;
    let idle = Client::http1(site.http()).await;
    let load = Load::start(site.http());
    load.more(50).await;
    old.signal(Signal::TERM);
    site.unready("draining").await;
    let pod = site.pod("new");
    let _new = pod.start();
    pod.ready().await;
    pod.part("holder").await;
    site.first_part("let go").await;
    load.more(50).await;
    drop(idle);
    assert!(old.ended().await.success());
    load.more(50).await;
    assert_eq!(load.end().await.1, Vec::<String>::new());
}

// Whoever has the sockets alone again closes them so that nobody is reset: who comes is kept out, and refused a second later.
#[tokio::test(flavor = "multi_thread")]
async fn the_last_one_closes_without_a_reset() {
    eventually("a connection that was kept out", async || {
        let site = Site::new();
        let web = Backend::saying("web").await;
        let mut control_plane = site.control_plane().await;
        let old = site.data_plane();
        let _session = control_plane.serve(7, &shop(web.address)).await;
        site.ready().await;
        let pod = site.pod("new");
        let new = pod.start();
        pod.ready().await;
        assert!(old.end(Signal::TERM).await.success());
        new.signal(Signal::TERM);
        let longest = async {
            let mut longest = Duration::ZERO;
            loop {
                let start = Instant::now();
                let connected = tokio::net::TcpStream::connect(site.http()).await;
                longest = longest.max(start.elapsed());
                if connected.is_err() {
                    return longest;
                }
            }
        };
        let longest = within("the end of the listener", longest).await;
        assert!(new.ended().await.success());
        longest > Duration::from_millis(500)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_one_that_is_restarted_does_not_steal_back_and_is_there_when_it_is_needed() {
    let site = Site::new();
    let web = Backend::saying("web").await;
    let mut control_plane = site.control_plane().await;
    let old = site.data_plane();
    let _session = control_plane.serve(7, &shop(web.address)).await;
    site.ready().await;
    let pod = site.pod("new");
    let new = pod.start();
    pod.ready().await;
    site.first_part("handed over").await;
    old.end(Signal::KILL).await;
    let load = Load::start(site.http());
    let _old = site.data_plane();
    site.first_part("standby").await;
    site.unready("standby: a newer data plane of this node serves")
        .await;
    load.more(50).await;
    pod.part("holder").await;
    assert_eq!(site.status().await["listeners"], serde_json::json!([]));

    assert!(new.end(Signal::TERM).await.success());
    site.ready().await;
    load.more(50).await;
    assert_eq!(load.end().await.1, Vec::<String>::new());
    site.first_part("holder").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_binds_when_the_newer_one_is_killed() {
    let site = Site::new();
    let web = Backend::saying("web").await;
    let mut control_plane = site.control_plane().await;
    let old = site.data_plane();
    let _session = control_plane.serve(7, &shop(web.address)).await;
    let pod = site.pod("new");
    let new = pod.start();
    pod.ready().await;
    site.first_part("handed over").await;
    old.end(Signal::KILL).await;
    let _old = site.data_plane();
    site.first_part("standby").await;
    new.end(Signal::KILL).await;
    let start = Instant::now();
    site.ready().await;
    let took = start.elapsed();
    assert!(took < Duration::from_secs(1), "{took:?}");
    fetch(site.http()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_predecessor_that_hangs_is_waited_for_until_it_is_killed() {
    let site = Site::new();
    let web = Backend::saying("web").await;
    let mut control_plane = site.control_plane().await;
    let old = site.data_plane();
    let resources = shop(web.address);
    let _first = control_plane.serve(7, &resources).await;
    site.ready().await;
    old.signal(Signal::STOP);
    let pod = site.pod("new");
    let _new = pod.start();
    let _session = control_plane.serve(7, &resources).await;
    pod.unready("not all listeners are open").await;
    eventually("the problem", async || {
        let problems = pod.status().await["problems"].to_string();
        problems.contains("HandOverNameTaken") && problems.contains("it says nothing")
    })
    .await;
    old.end(Signal::KILL).await;
    pod.ready().await;
    fetch(site.http()).await.unwrap();
    pod.part("holder").await;
    assert_eq!(pod.status().await["problems"], serde_json::json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_predecessor_that_hung_for_a_while_hands_over_when_it_moves_again() {
    let site = Site::new();
    let web = Backend::saying("web").await;
    let mut control_plane = site.control_plane().await;
    let old = site.data_plane();
    let resources = shop(web.address);
    let _first = control_plane.serve(7, &resources).await;
    site.ready().await;
    old.signal(Signal::STOP);
    let pod = site.pod("new");
    let _new = pod.start();
    let _session = control_plane.serve(7, &resources).await;
    pod.unready("not all listeners are open").await;
    old.signal(Signal::CONT);
    pod.ready().await;
    site.first_part("handed over").await;
    fetch(site.http()).await.unwrap();
}
