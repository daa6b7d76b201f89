//! Anybody on the node can open, or hold, the name that its data planes meet at.

use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{self, UnixListener};

use rustix::process::Signal;
use sluice_proto::wire;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

use crate::life::harness::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_gets_nothing_and_is_in_nobodys_way() {
    let site = Site::new();
    let web = Backend::saying("web").await;
    let mut control_plane = site.control_plane().await;
    let _old = site.data_plane();
    let _session = control_plane.serve(7, &shop(web.address)).await;
    site.first_part("holder").await;
    let name = name(&site).await;
    // A Hello with a nonce of 32 bytes, as a data plane sends it.
    let hello = [&[0, 0, 0, 36, 0x0a, 34, 0x0a, 32][..], &[7; 32]].concat();
    let proof = [&[0, 0, 0, 36, 0x1a, 34, 0x12, 32][..], &[7; 32]].concat();
    for garbage in [
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        vec![0xff; 4096],
        vec![0, 0, 0, 2, 0x0a, 0xff],
        // As if it had proved already.
        vec![0, 0, 0, 2, 0x42, 0],
    ] {
        assert_eq!(said(&name, &[&garbage]).await, b"");
    }
    let answer = said(&name, &[&hello, &proof]).await;
    // The challenge, and nothing after a wrong proof.
    let length = u32::from_be_bytes(*answer.first_chunk().unwrap()) as usize;
    assert_eq!((answer.len(), answer[4]), (4 + length, 0x12));
    eventually("the refusals are counted", async || {
        let metrics = site.ask("metrics").await.stdout;
        metrics.contains("sluice_hand_over_peers_refused_total 5\n")
    })
    .await;
    site.logged("asked for the listening sockets and was refused")
        .await;

    let mut silent = Vec::new();
    for _ in 0..100 {
        silent.push(connect(&name).await);
    }
    let pod = site.pod("new");
    let _new = pod.start();
    pod.ready().await;
    site.first_part("handed over").await;
    pod.part("holder").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_squats_the_name_costs_the_hand_over_and_no_traffic() {
    let site = Site::new();
    let web = Backend::saying("web").await;
    let resources = shop(web.address);
    let first = site.data_plane();
    site.first_part("holder").await;
    let name = name(&site).await;
    first.end(Signal::TERM).await;

    let address = net::SocketAddr::from_abstract_name(&name[1..]).unwrap();
    let squatter = UnixListener::bind_addr(&address).unwrap();
    let answering = {
        let squatter = squatter.try_clone().unwrap();
        squatter.set_nonblocking(true).unwrap();
        tokio::spawn(async move {
            let squatter = tokio::net::UnixListener::from_std(squatter).unwrap();
            loop {
                let (mut stream, _) = squatter.accept().await.unwrap();
                // A challenge that proves nothing.
                let challenge = [&[0, 0, 0, 36, 0x12, 34, 0x0a, 32][..], &[7; 32]].concat();
                let _ = stream.write_all(&challenge).await;
                let _ = stream.read(&mut [0; 1024]).await;
            }
        })
    };
    let mut control_plane = site.control_plane().await;
    let data_plane = site.data_plane();
    let mut session = control_plane.serve(7, &resources).await;
    site.ready().await;
    fetch(site.http()).await.unwrap();
    session
        .report("a report of the squatter", |report| {
            let problem = report.problems.first();
            problem.is_some_and(|problem| {
                problem.code == "HandOverNameTaken"
                    && problem.message.contains("does not know a seal key")
                    && problem.remedy.contains(&name[1..])
            }) && report.state() == wire::report::State::Serving
        })
        .await;
    site.first_part("alone").await;
    answering.abort();
    drop(squatter);
    site.first_part("holder").await;
    session
        .report("a report without a problem", |report| {
            report.problems.is_empty()
        })
        .await;
    let pod = site.pod("new");
    let _new = pod.start();
    pod.ready().await;
    assert!(data_plane.end(Signal::TERM).await.success());
    fetch(site.http()).await.unwrap();
}

/// Returns all that is answered to these messages.
async fn said(name: &str, messages: &[&[u8]]) -> Vec<u8> {
    let mut stream = connect(name).await;
    for message in messages {
        // It may have had enough already.
        let _ = stream.write_all(message).await;
    }
    let mut answer = Vec::new();
    let _ = within("the end", stream.read_to_end(&mut answer)).await;
    answer
}

async fn connect(name: &str) -> UnixStream {
    let mut connected = None;
    eventually("room in the queue", async || {
        connected = UnixStream::connect(name.replacen('@', "\0", 1)).await.ok();
        connected.is_some()
    })
    .await;
    connected.unwrap()
}

async fn name(site: &Site) -> String {
    let status = site.status().await;
    status["handOver"]["socket"].as_str().unwrap().to_owned()
}
