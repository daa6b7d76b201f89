//! The copy on disk while the program runs: when it is written, what it holds, and a disk that does not take it.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use rustix::process::Signal;
use sluice_proto::{
    Certificate, CertificateName, Host, HostPattern, Resource, SettingsName, Snapshot, TlsVersion,
};

use super::harness::*;

#[tokio::test]
async fn a_copy_that_cannot_be_written_is_a_problem_until_it_can() {
    let site = Site::new();
    let (web, api) = (Backend::saying("web").await, Backend::saying("api").await);
    let (before, after) = (shop(web.address), shop(api.address));
    let mut control_plane = site.control_plane().await;
    let data_plane = site.data_plane();
    let mut session = control_plane.serve(7, &before).await;
    site.copied().await;
    // What is written before it takes the place of the copy cannot be written.
    let in_the_way = site.state().join("snapshot.new");
    fs::create_dir(&in_the_way).unwrap();
    let (held, target) = (Snapshot::of(&before), Snapshot::of(&after));
    session.deliver(8, &held, &target).await;
    session
        .report("a report of the disk", |report| {
            let problem = report.problems.first();
            problem.is_some_and(|problem| {
                problem.code == "DiskCopyNotWritten"
                    && problem.message.contains(&in_the_way.display().to_string())
            })
        })
        .await;
    assert_eq!(site.status().await["problems"][0]["object"], "Node node-a");
    assert_eq!(site.ask("ready").await.code, Some(0), "it serves on");

    fs::remove_dir(&in_the_way).unwrap();
    session
        .report("a report without a problem", |report| {
            report.problems.is_empty()
        })
        .await;
    control_plane.stop().await;
    data_plane.end(Signal::KILL).await;
    let _data_plane = site.data_plane();
    site.ready().await;
    assert_eq!(site.status().await["generation"], 8);
}

#[tokio::test]
async fn a_control_plane_that_stays_away_costs_no_writes() {
    let site = Site::new();
    let web = Backend::saying("web").await;
    let mut control_plane = site.control_plane().await;
    let _data_plane = site.data_plane_with(&["--log", "debug"]);
    control_plane.serve(7, &shop(web.address)).await;
    site.copied().await;
    control_plane.stop().await;
    let written = fs::metadata(site.copy()).unwrap().ino();
    eventually("five tries to connect", async || {
        site.log().matches("still no stream").count() >= 5
    })
    .await;
    assert_eq!(fs::metadata(site.copy()).unwrap().ino(), written);
}

#[tokio::test]
async fn a_certificate_kept_beyond_its_secret_outlives_a_restart() {
    let site = Site::new();
    let pair = Pair::new("shop.example");
    let name = CertificateName::of_secret("shop", "tls");
    let certificate = |content| {
        Resource::Certificate(Certificate {
            name: name.clone(),
            content,
        })
    };
    let mut resources = listeners().to_vec();
    resources.push(Resource::Host(Host {
        pattern: HostPattern::parse("shop.example").unwrap(),
        certificate: Some(name.clone()),
        settings: SettingsName::EDGE,
        client_certificates: Vec::new(),
        tls_minimum_version: TlsVersion::Tls12,
    }));
    let with = |content| {
        let mut all = resources.clone();
        all.push(certificate(content));
        all
    };
    let before = with(Ok(pair.material(i64::MAX)));
    let after = with(Err(problem("SecretMissing")));
    let mut control_plane = site.control_plane().await;
    let data_plane = site.data_plane();
    let mut session = control_plane.serve(7, &before).await;
    let (held, target) = (Snapshot::of(&before), Snapshot::of(&after));
    session.deliver(8, &held, &target).await;
    control_plane.stop().await;
    assert!(data_plane.end(Signal::TERM).await.success());

    let _data_plane = site.data_plane();
    site.ready().await;
    let shown = Tls::connect(site.https(), "shop.example", &[]).await;
    assert_eq!(shown.unwrap().leaf(), pair.leaf());
    let status = site.status().await;
    assert_eq!(status["generation"], 8);
    assert_eq!(status["problems"][0]["code"], "CertificateKept");
    // What is held is what was published: nothing needs to be sent.
    let mut control_plane = site.control_plane().await;
    let hello = control_plane.session().await.hello;
    assert_eq!(hello.digest, target.digest().as_bytes().to_vec());
}

#[tokio::test]
async fn the_copy_shows_no_key_and_only_its_owner_may_read_it() {
    let site = Site::new();
    let pair = Pair::new("shop.example");
    let material = pair.material(i64::MAX);
    let key = material.private_key.clone();
    let mut resources = listeners().to_vec();
    resources.push(Resource::Certificate(Certificate {
        name: CertificateName::of_secret("shop", "tls"),
        content: Ok(material),
    }));
    let mut control_plane = site.control_plane().await;
    let _data_plane = site.data_plane_with(&["--log", "debug"]);
    control_plane.serve(7, &resources).await;
    site.copied().await;
    let copy = fs::read(site.copy()).unwrap();
    assert!(copy.len() > key.len());
    for part in [&key[..], b"shop/tls", b"certificate"] {
        let shown = copy.windows(part.len()).any(|window| window == part);
        assert!(!shown, "{}", String::from_utf8_lossy(part));
    }
    assert_eq!(fs::metadata(site.copy()).unwrap().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(site.socket()).unwrap().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(site.state()).unwrap().mode() & 0o777, 0o700);
}

#[tokio::test]
async fn two_do_not_share_a_state_folder() {
    let site = Site::new();
    let web = Backend::saying("web").await;
    let mut control_plane = site.control_plane().await;
    let _data_plane = site.data_plane();
    control_plane.serve(7, &shop(web.address)).await;
    let socket = site.state().join("other.sock");
    let socket = socket.to_str().unwrap();
    let second = site.data_plane_with(&["--admin-socket", socket]);
    assert_eq!(second.ended().await.code(), Some(1));
    let expected = format!(
        "another data plane keeps its state in {}",
        site.state().display()
    );
    assert!(site.log().contains(&expected), "{}", site.log());
    assert_eq!(get(site.http(), "shop.example", "/").await.body, "web");
}
