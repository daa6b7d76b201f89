//! Restarts: from the copy on disk while the control plane is away, and without one.

use std::fs;
use std::time::Duration;

use http::StatusCode;
use rustix::process::Signal;
use sluice_proto::{Snapshot, Version};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use super::harness::*;

#[tokio::test]
async fn it_serves_from_disk_within_a_second_after_a_kill() {
    serves_from_disk_after(Signal::KILL).await;
}

#[tokio::test]
async fn it_serves_from_disk_within_a_second_after_a_stop() {
    serves_from_disk_after(Signal::TERM).await;
}

async fn serves_from_disk_after(signal: Signal) {
    let site = Site::new();
    let web = Backend::saying("web").await;
    let resources = shop(web.address);
    let mut control_plane = site.control_plane().await;
    let data_plane = site.data_plane();
    control_plane.serve(7, &resources).await;
    site.copied().await;
    control_plane.stop().await;
    data_plane.end(signal).await;
    site.refuses_connections().await;

    let start = Instant::now();
    let _data_plane = site.data_plane();
    // A connection is refused until the listener is open; from then on, it is answered.
    while TcpStream::connect(site.http()).await.is_err() {
        assert!(start.elapsed() < LIMIT, "{}", site.log());
        sleep(Duration::from_millis(1)).await;
    }
    let answer = get(site.http(), "shop.example", "/").await;
    let took = start.elapsed();
    assert_eq!((answer.status, &*answer.body), (StatusCode::OK, "web"));
    println!("served from disk {took:?} after the start");
    assert!(took < Duration::from_secs(1), "{took:?}");
    assert_eq!(site.status().await["generation"], 7);

    let mut control_plane = site.control_plane().await;
    let hello = control_plane.session().await.hello;
    assert_eq!(hello.generation, 7);
    assert_eq!(
        Version::from_bytes(&hello.digest),
        Some(Snapshot::of(&resources).digest())
    );
}

#[tokio::test]
async fn a_stop_writes_what_was_accepted_last() {
    let site = Site::new();
    let (web, api) = (Backend::saying("web").await, Backend::saying("api").await);
    let mut control_plane = site.control_plane().await;
    let data_plane = site.data_plane();
    let mut session = control_plane.serve(7, &shop(web.address)).await;
    // Faster than the copy is written.
    for generation in 8..20 {
        let (held, target) = match generation % 2 {
            0 => (shop(web.address), shop(api.address)),
            _ => (shop(api.address), shop(web.address)),
        };
        let (held, target) = (Snapshot::of(&held), Snapshot::of(&target));
        session.deliver(generation, &held, &target).await;
    }
    let last = shop(api.address);
    session
        .deliver(20, &Snapshot::of(&shop(web.address)), &Snapshot::of(&last))
        .await;
    control_plane.stop().await;
    assert!(data_plane.end(Signal::TERM).await.success());

    let _data_plane = site.data_plane();
    site.ready().await;
    assert_eq!(site.status().await["generation"], 20);
    assert_eq!(get(site.http(), "shop.example", "/").await.body, "api");
}

#[tokio::test]
async fn without_a_copy_it_waits_for_the_control_plane() {
    serves_nothing_until_told("no snapshot on disk", |path| fs::remove_file(path).unwrap()).await;
}

#[tokio::test]
async fn a_changed_copy_counts_as_none() {
    serves_nothing_until_told("its seal is broken", |path| {
        let mut sealed = fs::read(path).unwrap();
        let middle = sealed.len() / 2;
        sealed[middle] ^= 1;
        fs::write(path, sealed).unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_copy_cut_short_counts_as_none() {
    serves_nothing_until_told("its seal is broken", |path| {
        let sealed = fs::read(path).unwrap();
        fs::write(path, &sealed[..sealed.len() - 5]).unwrap();
    })
    .await;
}

#[tokio::test]
async fn an_empty_copy_counts_as_none() {
    serves_nothing_until_told("is not a copy", |path| fs::write(path, "").unwrap()).await;
}

#[tokio::test]
async fn a_copy_that_cannot_be_read_counts_as_none() {
    serves_nothing_until_told("cannot", |path| {
        fs::remove_file(path).unwrap();
        fs::create_dir(path).unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_copy_under_another_seal_key_counts_as_none() {
    serves_nothing_until_told("another seal key", |path| {
        let folder = path.parent().unwrap().parent().unwrap();
        fs::write(folder.join("identity/seal.key"), "00".repeat(32)).unwrap();
    })
    .await;
}

async fn serves_nothing_until_told(logged: &str, damage: impl FnOnce(&std::path::Path)) {
    let site = Site::new();
    let web = Backend::saying("web").await;
    let resources = shop(web.address);
    let mut control_plane = site.control_plane().await;
    let data_plane = site.data_plane();
    control_plane.serve(7, &resources).await;
    site.copied().await;
    control_plane.stop().await;
    data_plane.end(Signal::KILL).await;
    damage(&site.copy());

    let _data_plane = site.data_plane();
    site.logged(logged).await;
    site.unready("no snapshot yet, so no listener is open")
        .await;
    site.refuses_connections().await;
    let log = site.log();
    assert!(!log.contains("panicked"), "{log}");

    let mut control_plane = site.control_plane().await;
    let mut session = control_plane.session().await;
    assert_eq!(session.hello.generation, 0);
    assert_eq!(
        Version::from_bytes(&session.hello.digest),
        Some(Snapshot::default().digest())
    );
    site.refuses_connections().await;
    let (nothing, target) = (Snapshot::default(), Snapshot::of(&resources));
    session.deliver(7, &nothing, &target).await;
    let answer = get(site.http(), "shop.example", "/").await;
    assert_eq!((answer.status, &*answer.body), (StatusCode::OK, "web"));
    site.ready().await;
}

const LIMIT: Duration = Duration::from_secs(20);
