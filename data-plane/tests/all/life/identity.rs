//! Who is who: without the right certificates on both sides, nothing is served, and the log says why.

use std::fs;

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;

use super::harness::*;

#[tokio::test]
async fn a_control_plane_of_another_authority_gets_and_gives_nothing() {
    let site = Site::new();
    let stranger = Authority::new();
    let mut control_plane = ControlPlane::start(site.stream(), stranger.server()).await;
    let _data_plane = site.data_plane();
    site.logged("invalid peer certificate").await;
    assert!(control_plane.is_untouched());
    nothing_is_served(&site).await;
    let link = site.status().await["controlPlane"].clone();
    assert_eq!(link["connected"], false);
    let reason = link["reason"].as_str().unwrap();
    assert!(reason.contains("invalid peer certificate"), "{reason}");
}

#[tokio::test]
async fn a_data_plane_of_another_authority_gets_nothing() {
    let site = Site::new();
    let stranger = Authority::new();
    // It trusts the control plane, but what it shows is a stranger's.
    let trusted = fs::read(site.identity().join("ca.crt")).unwrap();
    stranger.write(&site.identity());
    fs::write(site.identity().join("ca.crt"), trusted).unwrap();
    let mut control_plane = site.control_plane().await;
    let _data_plane = site.data_plane();
    site.logged("no stream from the control plane").await;
    assert!(control_plane.is_untouched());
    nothing_is_served(&site).await;
}

#[tokio::test]
async fn a_missing_file_is_named_and_needs_no_restart() {
    let site = Site::new();
    let web = Backend::saying("web").await;
    let certificate = site.identity().join("tls.crt");
    let kept = fs::read(&certificate).unwrap();
    fs::remove_file(&certificate).unwrap();
    let mut control_plane = site.control_plane().await;
    let _data_plane = site.data_plane();
    site.logged(&format!("cannot read {}", certificate.display()))
        .await;
    nothing_is_served(&site).await;
    fs::write(&certificate, kept).unwrap();
    control_plane.serve(1, &shop(web.address)).await;
    assert_eq!(get(site.http(), "shop.example", "/").await.body, "web");
}

#[tokio::test]
async fn without_a_seal_key_it_does_not_start() {
    for (content, expected) in [(None, "cannot read"), (Some("5e"), "64 hexadecimal digits")] {
        let site = Site::new();
        let path = site.identity().join("seal.key");
        fs::remove_file(&path).unwrap();
        if let Some(content) = content {
            fs::write(&path, content).unwrap();
        }
        let ended = site.data_plane().ended().await;
        assert_eq!(ended.code(), Some(1));
        let log = site.log();
        assert!(log.contains(expected), "{log}");
        assert!(log.contains(&path.display().to_string()), "{log}");
    }
}

#[tokio::test]
async fn garbage_from_the_control_planes_port_is_an_error_and_no_end() {
    let site = Site::new();
    let web = Backend::saying("web").await;
    let listener = TcpListener::bind(site.stream()).await.unwrap();
    let _data_plane = site.data_plane();
    for _ in 0..3 {
        let (mut stream, _) = within("a connection", listener.accept()).await.unwrap();
        stream.write_all(&[b'?'; 4096]).await.unwrap();
    }
    site.logged("no stream from the control plane").await;
    nothing_is_served(&site).await;
    drop(listener);
    let mut control_plane = site.control_plane().await;
    control_plane.serve(1, &shop(web.address)).await;
    assert_eq!(get(site.http(), "shop.example", "/").await.body, "web");
}

async fn nothing_is_served(site: &Site) {
    site.refuses_connections().await;
    let asked = site.ask("ready").await;
    assert_eq!(asked.code, Some(1), "{asked:?}");
}
