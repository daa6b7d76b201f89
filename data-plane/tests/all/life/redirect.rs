//! Nodes follow the leader: what a data plane does when it is sent to another replica of the control plane.

use std::net::SocketAddr;

use sluice_proto::wire;
use sluice_proto::wire::control_plane_message::Message as Say;
use sluice_proto::{Resource, Snapshot};

use super::harness::*;

#[tokio::test]
async fn it_goes_where_it_is_sent_at_once_and_shows_it() {
    let site = Site::new();
    let web = Backend::saying("web").await;
    let resources = shop(web.address);
    let mut first = site.control_plane().await;
    let leader_at = other(&site, 1);
    let mut leader = ControlPlane::start(leader_at, site.authority.server()).await;
    let _data_plane = site.data_plane();
    let session = first.session().await;
    assert!(!session.hello.leader_unreachable);
    redirect(&session, &leader_at.to_string()).await;
    let session = serve(&mut leader, &resources).await;
    assert!(!session.hello.leader_unreachable);
    eventually("it shows the leader's address", async || {
        let status = site.status().await;
        status["controlPlane"]["address"] == leader_at.to_string()
            && status["controlPlane"]["connected"] == true
    })
    .await;
    assert!(!site.log().contains("WARN"), "{}", site.log());
}

#[tokio::test]
async fn a_leader_that_cannot_be_reached_is_told_of() {
    let site = Site::new();
    let web = Backend::saying("web").await;
    let mut first = site.control_plane().await;
    let _data_plane = site.data_plane();
    let session = first.session().await;
    redirect(&session, &other(&site, 1).to_string()).await;
    drop(session);
    let session = serve(&mut first, &shop(web.address)).await;
    assert!(session.hello.leader_unreachable);
    // It is asked again who leads, and this replica does by now.
    redirect(&session, &site.stream().to_string()).await;
    let session = first.session().await;
    assert!(!session.hello.leader_unreachable);
}

#[tokio::test]
async fn without_an_address_it_asks_whichever_answers() {
    let site = Site::new();
    let web = Backend::saying("web").await;
    let mut first = site.control_plane().await;
    let _data_plane = site.data_plane();
    let session = first.session().await;
    redirect(&session, "").await;
    let session = serve(&mut first, &shop(web.address)).await;
    assert!(!session.hello.leader_unreachable);
    assert!(!site.log().contains("WARN"), "{}", site.log());
}

#[tokio::test]
async fn replicas_that_send_it_to_each_other_are_asked_to_serve() {
    let site = Site::new();
    let web = Backend::saying("web").await;
    let mut first = site.control_plane().await;
    let second_at = other(&site, 1);
    let mut second = ControlPlane::start(second_at, site.authority.server()).await;
    let _data_plane = site.data_plane();
    let mut redirects = 0;
    let mut session = loop {
        let (session, other) = tokio::select! {
            session = first.session() => (session, second_at),
            session = second.session() => (session, site.stream()),
        };
        if session.hello.leader_unreachable {
            break session;
        }
        redirect(&session, &other.to_string()).await;
        redirects += 1;
        assert!(redirects < 10, "it goes to and fro for ever");
    };
    assert!(redirects > 1, "it follows at first");
    let target = Snapshot::of(&shop(web.address));
    session.deliver(7, &Snapshot::default(), &target).await;
    site.ready().await;
}

async fn redirect(session: &Session, address: &str) {
    let address = address.to_owned();
    session.say(Say::Redirect(wire::Redirect { address })).await;
}

/// Takes the next stream and gives its data plane all of these resources.
async fn serve(control_plane: &mut ControlPlane, resources: &[Resource]) -> Session {
    control_plane.serve(7, resources).await
}

/// Returns where another replica of this site's control plane may be.
fn other(site: &Site, number: u16) -> SocketAddr {
    let mut address = site.stream();
    address.set_port(9442 + number);
    address
}
