//! Stale endpoints: without the stream a pod's address may be somebody else's, so requests go to the Service.

use std::time::Duration;

use rustix::process::Signal;
use sluice_proto::{BackendProtocol, Resource, Settings, Snapshot};

use super::harness::*;

#[tokio::test]
async fn without_the_stream_requests_go_to_the_service_until_the_next_delta() {
    let site = Site::new();
    let (pod, cluster) = (
        Backend::saying("pod").await,
        Backend::saying("cluster").await,
    );
    let resources = resources(&pod, &cluster, Duration::from_millis(100));
    let target = Snapshot::of(&resources);
    let mut control_plane = site.control_plane().await;
    let data_plane = site.data_plane();
    control_plane.serve(7, &resources).await;
    assert_eq!(answered(&site).await, "pod");
    control_plane.stop().await;
    answers(&site, "cluster").await;

    let mut control_plane = site.control_plane().await;
    let mut session = control_plane.session().await;
    // A stream alone says nothing about the endpoints.
    assert_eq!(session.holdings().await.holdings.len(), target.len());
    assert_eq!(answered(&site).await, "cluster");
    session.deliver(8, &target, &target).await;
    answers(&site, "pod").await;

    // A restart from disk begins as stale.
    control_plane.stop().await;
    assert!(data_plane.end(Signal::TERM).await.success());
    let _data_plane = site.data_plane();
    site.ready().await;
    assert_eq!(answered(&site).await, "cluster");
    let mut control_plane = site.control_plane().await;
    let mut session = control_plane.session().await;
    assert_eq!(answered(&site).await, "cluster");
    session.deliver(9, &target, &target).await;
    answers(&site, "pod").await;
}

#[tokio::test]
async fn a_pod_that_is_gone_is_reached_through_the_service_as_soon_as_the_stream_is_gone() {
    let site = Site::new();
    let (pod, cluster) = (
        Backend::saying("pod").await,
        Backend::saying("cluster").await,
    );
    let mut resources = resources(&pod, &cluster, Duration::from_secs(600));
    // Beside it one that is gone.
    let gone = Backend::saying("gone").await;
    let address = gone.address;
    resources.pop();
    resources.push(endpoints("web", [pod.address, address]));
    let target = Snapshot::of(&resources);
    let mut control_plane = site.control_plane().await;
    let _data_plane = site.data_plane();
    let session = control_plane.serve(7, &resources).await;
    drop(gone);
    eventually("nobody there", async || {
        tokio::net::TcpStream::connect(address).await.is_err()
    })
    .await;
    only(&site, "pod").await;
    drop(session);
    control_plane.stop().await;
    answers(&site, "cluster").await;
    let mut control_plane = site.control_plane().await;
    let mut session = control_plane.session().await;
    session.deliver(8, &target, &target).await;
    only(&site, "pod").await;
}

// It may have been restarted, too, and not know the cluster yet.
#[tokio::test]
async fn a_control_plane_that_says_nothing_does_not_make_endpoints_current() {
    let site = Site::new();
    let (pod, cluster) = (
        Backend::saying("pod").await,
        Backend::saying("cluster").await,
    );
    let resources = resources(&pod, &cluster, Duration::from_secs(1));
    let target = Snapshot::of(&resources);
    let mut control_plane = site.control_plane().await;
    let _data_plane = site.data_plane();
    control_plane.serve(7, &resources).await;
    control_plane.stop().await;
    let mut control_plane = site.control_plane().await;
    let mut session = control_plane.session().await;
    answers(&site, "cluster").await;
    session.deliver(8, &target, &target).await;
    answers(&site, "pod").await;
}

fn resources(pod: &Backend, cluster: &Backend, stale_after: Duration) -> Vec<Resource> {
    let mut settings = Settings::default();
    settings.timeouts.endpoints_stale = stale_after;
    let mut resources = listeners().to_vec();
    resources.push(Resource::Settings(Box::new(settings)));
    resources.push(route("shop.example", "/", "web"));
    let cluster = vec![cluster.address];
    resources.push(backend_with_cluster("web", BackendProtocol::Http1, cluster));
    resources.push(endpoints("web", [pod.address]));
    resources
}

async fn answered(site: &Site) -> String {
    get(site.http(), "shop.example", "/").await.body
}

async fn answers(site: &Site, who: &str) {
    eventually(who, async || answered(site).await == who).await;
}

async fn only(site: &Site, who: &str) {
    eventually("nobody else answers", async || {
        for _ in 0..20 {
            if answered(site).await != who {
                return false;
            }
        }
        true
    })
    .await;
}
