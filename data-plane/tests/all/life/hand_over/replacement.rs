//! A new process takes the place of the old one, and nobody notices.

use std::fs;

use rustix::process::Signal;
use sluice_proto::{Resource, Snapshot, wire};

use crate::life::harness::*;

#[tokio::test(flavor = "multi_thread")]
async fn three_updates_cost_no_connection() {
    let site = Site::new();
    let web = Backend::saying("web").await;
    let resources = shop(web.address);
    let mut control_plane = site.control_plane().await;
    let mut old = (site.pod("0"), site.pod("0").start());
    let mut session = control_plane.serve(7, &resources).await;
    old.0.part("holder").await;
    let load = Load::start(site.http());
    for update in 1..=3 {
        load.more(50).await;
        let mut kept = Client::http1(site.http()).await;
        assert_eq!(kept.get("shop.example", "/").await.body, "web");

        let pod = site.pod(&update.to_string());
        let new = pod.start();
        let next = current(&mut control_plane, &resources).await;
        pod.ready().await;
        old.0.part("handed over").await;
        session
            .report("a report that it has handed over", |report| {
                report.state() == wire::report::State::HandedOver
            })
            .await;
        assert_eq!(old.0.ask("ready").await.code, Some(0));
        assert_eq!(
            old.0.status().await["handOver"]["peer"]["version"],
            env!("CARGO_PKG_VERSION")
        );
        assert_eq!(pod.status().await["generation"], 7);
        load.more(50).await;
        assert_eq!(kept.get("shop.example", "/").await.body, "web");

        old.1.signal(Signal::TERM);
        old.0.unready("draining").await;
        let answer = kept.get("shop.example", "/").await;
        assert_eq!(
            (&*answer.body, answer.header("connection")),
            ("web", "close")
        );
        assert_eq!(old.1.ended().await.code(), Some(0));
        load.more(50).await;
        (old, session) = ((pod, new), next);
    }
    let (answered, failures) = load.end().await;
    println!("{answered} requests on as many connections");
    assert_eq!(failures, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgraded_connection_lives_on_in_the_old_process() {
    let site = Site::new();
    let echo = Backend::raw(async |mut stream: tokio::net::TcpStream| {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let answer = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
        stream.write_all(answer).await.unwrap();
        let (mut read, mut write) = stream.split();
        let _ = tokio::io::copy(&mut read, &mut write).await;
    })
    .await;
    let resources = shop(echo.address);
    let mut control_plane = site.control_plane().await;
    let old = site.data_plane();
    let _session = control_plane.serve(7, &resources).await;
    site.ready().await;
    let mut socket = Stream::connect(site.http()).await;
    socket
        .send("GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        .await;
    assert!(
        socket
            .read_until("\r\n\r\n")
            .await
            .starts_with("HTTP/1.1 101 ")
    );
    let pod = site.pod("new");
    let _new = pod.start();
    pod.ready().await;
    site.first_part("handed over").await;
    old.signal(Signal::TERM);
    site.logged("told to stop").await;
    for word in ["one", "two", "three"] {
        socket.send(word).await;
        assert_eq!(socket.read_exactly(word.len()).await, word.as_bytes());
    }
    drop(socket);
    assert_eq!(old.ended().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_snapshot_comes_along_without_a_control_plane() {
    let site = Site::new();
    let web = Backend::saying("web").await;
    let mut control_plane = site.control_plane().await;
    let old = site.data_plane();
    let _session = control_plane.serve(7, &shop(web.address)).await;
    site.ready().await;
    control_plane.stop().await;
    let load = Load::start(site.http());
    let pod = site.pod("new");
    let new = pod.start();
    pod.ready().await;
    assert_eq!(pod.status().await["generation"], 7);
    assert!(old.end(Signal::TERM).await.success());
    load.more(50).await;
    assert_eq!(load.end().await.1, Vec::<String>::new());
    // It is on the new disk, too.
    new.end(Signal::KILL).await;
    let _again = pod.start();
    pod.ready().await;
    assert!(fetch(site.http()).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_seal_key_is_no_obstacle_while_the_one_before_is_known() {
    let site = Site::new();
    let web = Backend::saying("web").await;
    let mut control_plane = site.control_plane().await;
    let old = site.data_plane();
    let session = control_plane.serve(7, &shop(web.address)).await;
    site.ready().await;
    drop(session);
    control_plane.stop().await;
    let load = Load::start(site.http());
    renew_seal(&site);
    let pod = site.pod("new");
    let new = pod.start();
    pod.ready().await;
    assert!(old.end(Signal::TERM).await.success());
    // Who knows the new one alone finds it, too.
    fs::remove_file(site.identity().join("seal.key.previous")).unwrap();
    let last = site.pod("last");
    let _last = last.start();
    last.ready().await;
    assert!(new.end(Signal::TERM).await.success());
    load.more(50).await;
    assert_eq!(load.end().await.1, Vec::<String>::new());
}

// Whoever comes next does not know any key that the old process was started with: it waits until that one has followed.
#[tokio::test(flavor = "multi_thread")]
async fn seal_keys_renewed_more_than_once_are_no_obstacle() {
    let site = Site::new();
    let web = Backend::saying("web").await;
    let mut control_plane = site.control_plane().await;
    let old = site.data_plane();
    let resources = shop(web.address);
    let _session = control_plane.serve(7, &resources).await;
    site.ready().await;
    let load = Load::start(site.http());
    for _ in 0..3 {
        renew_seal(&site);
    }
    let pod = site.pod("new");
    let _new = pod.start();
    let _session_of_new = control_plane.serve(7, &resources).await;
    pod.ready().await;
    site.first_part("handed over").await;
    assert!(old.end(Signal::TERM).await.success());
    load.more(50).await;
    assert_eq!(load.end().await.1, Vec::<String>::new());
}

fn renew_seal(site: &Site) {
    let (key, previous) = (
        site.identity().join("seal.key"),
        site.identity().join("seal.key.previous"),
    );
    fs::copy(&key, &previous).unwrap();
    let new: String = (0..32)
        .map(|_| format!("{:02x}", fastrand::u8(..)))
        .collect();
    fs::write(&key, new).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn other_listeners_and_cores_are_no_obstacle() {
    let site = Site::new();
    let web = Backend::saying("web").await;
    let resources = shop(web.address);
    let mut control_plane = site.control_plane().await;
    let old = site.data_plane();
    let _session = control_plane.serve(7, &resources).await;
    site.ready().await;
    let load = Load::start(site.http());
    // The HTTPS listener is elsewhere from now on; a port that is free is known by the other address.
    let elsewhere = site.metrics();
    let listen = format!("http={},https={elsewhere}", site.http());
    let pod = site.pod("new");
    let _new = pod.start_with(&["--listen", &listen, "--cores", "2"]);
    pod.ready().await;
    site.first_part("handed over").await;
    assert_eq!(
        site.status().await["listeners"].as_array().unwrap().len(),
        1
    );
    // Nobody has taken this one from the old process.
    for address in [site.https(), elsewhere] {
        tokio::net::TcpStream::connect(address).await.unwrap();
    }
    load.more(50).await;
    assert!(old.end(Signal::TERM).await.success());
    assert!(tokio::net::TcpStream::connect(site.https()).await.is_err());
    tokio::net::TcpStream::connect(elsewhere).await.unwrap();
    load.more(50).await;
    assert_eq!(load.end().await.1, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_that_come_at_once_take_their_turns() {
    let site = Site::new();
    let web = Backend::saying("web").await;
    let mut control_plane = site.control_plane().await;
    let old = site.data_plane();
    let _session = control_plane.serve(7, &shop(web.address)).await;
    site.ready().await;
    let load = Load::start(site.http());
    let pods = ["one", "two"].map(|name| site.pod(name));
    let mut running = pods.each_ref().map(|pod| Some(pod.start()));
    let newest = async || {
        for (at, pod) in pods.iter().enumerate() {
            let asked = pod.ask("status").await;
            if asked.stdout.contains("\"part\": \"holder\"") {
                return Some(at);
            }
        }
        None
    };
    let mut holder = None;
    eventually(
        "one has the sockets, and the other waits or has given them away",
        async || {
            holder = newest().await;
            let Some(at) = holder else { return false };
            let other = pods[1 - at].ask("status").await.stdout;
            ["handed over", "standby"]
                .iter()
                .any(|part| other.contains(&format!("\"part\": \"{part}\"")))
        },
    )
    .await;
    load.more(50).await;
    assert!(old.end(Signal::TERM).await.success());
    load.more(50).await;
    let other = running[1 - holder.unwrap()].take().unwrap();
    assert!(other.end(Signal::TERM).await.success());
    load.more(50).await;
    assert_eq!(load.end().await.1, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_with_a_new_name_keeps_its_socket() {
    let site = Site::new();
    let web = Backend::saying("web").await;
    let resources = shop(web.address);
    let mut control_plane = site.control_plane().await;
    let http = site.http();
    let listen = format!("http={http},web={http},https={}", site.https());
    let _data_plane = site.data_plane_with(&["--listen", &listen]);
    let mut session = control_plane.serve(7, &resources).await;
    site.ready().await;
    let load = Load::start(http);
    let renamed = resources.iter().cloned().map(|resource| match resource {
        Resource::Listener(mut listener) if &*listener.name == "http" => {
            listener.name = "web".into();
            Resource::Listener(listener)
        }
        other => other,
    });
    let renamed: Vec<_> = renamed.collect();
    let (held, target) = (Snapshot::of(&resources), Snapshot::of(&renamed));
    session.deliver(8, &held, &target).await;
    assert_eq!(site.status().await["listeners"][1]["name"], "web");
    load.more(50).await;
    assert_eq!(load.end().await.1, Vec::<String>::new());
}

// Whichever of the two processes opened it, the other could not, and would never be ready.
#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_becomes_free_in_the_middle_goes_to_the_new_process() {
    let site = Site::new();
    let web = Backend::saying("web").await;
    let resources = shop(web.address);
    let mut control_plane = site.control_plane().await;
    let holder = std::net::TcpListener::bind(site.https()).unwrap();
    let old = site.data_plane();
    let _session = control_plane.serve(7, &resources).await;
    eventually("what can be opened is", async || {
        fetch(site.http()).await.is_ok()
    })
    .await;
    let pod = site.pod("new");
    let _new = pod.start();
    let _session_of_new = current(&mut control_plane, &resources).await;
    pod.part("holder").await;
    drop(holder);
    pod.ready().await;
    site.first_part("handed over").await;
    assert!(old.end(Signal::TERM).await.success());
    tokio::net::TcpStream::connect(site.https()).await.unwrap();
    fetch(site.http()).await.unwrap();
}

/// Takes the stream of a new process and tells it that what it was handed is current.
async fn current(control_plane: &mut ControlPlane, resources: &[Resource]) -> Session {
    let target = Snapshot::of(resources);
    let mut session = control_plane.session().await;
    assert_eq!(session.hello.generation, 7);
    session.deliver(7, &target, &target).await;
    session
}
