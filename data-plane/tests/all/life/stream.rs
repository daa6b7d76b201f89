//! The stream: what is said on it, and what is served by it.

use bytes::Bytes;
use http::StatusCode;
use sluice_proto::wire::control_plane_message::Message as Say;
use sluice_proto::{Entry, Kind, Resource, ResourceKey, Snapshot, Version, wire};

use super::harness::*;

#[tokio::test]
async fn it_says_what_it_holds_and_again_when_it_comes_back() {
    let site = Site::new();
    let web = Backend::saying("web").await;
    let target = Snapshot::of(&shop(web.address));
    let mut control_plane = site.control_plane().await;
    let _data_plane = site.data_plane();
    let mut session = control_plane.session().await;
    let first = session.hello.clone();
    assert_eq!(first.node, "node-a");
    assert_eq!(first.build_version, env!("CARGO_PKG_VERSION"));
    assert_eq!(first.generation, 0);
    assert_eq!(
        Version::from_bytes(&first.digest),
        Some(Snapshot::default().digest())
    );
    assert_eq!(session.holdings().await, wire::Holdings::default());

    session.deliver(7, &Snapshot::default(), &target).await;
    assert_eq!(
        session.holdings().await,
        wire::Holdings::from(&target.holdings())
    );
    let answer = get(site.http(), "shop.example", "/").await;
    assert_eq!((answer.status, &*answer.body), (StatusCode::OK, "web"));

    drop(session);
    let second = control_plane.session().await.hello;
    assert_eq!(Version::from_bytes(&second.digest), Some(target.digest()));
    let expected = wire::Hello {
        digest: second.digest.clone(),
        generation: 7,
        ..first
    };
    assert_eq!(second, expected);
}

#[tokio::test]
async fn a_control_plane_that_was_away_is_found_again() {
    let site = Site::new();
    let web = Backend::saying("web").await;
    let resources = shop(web.address);
    let mut control_plane = site.control_plane().await;
    let _data_plane = site.data_plane();
    control_plane.serve(7, &resources).await;
    control_plane.stop().await;
    eventually("the loss of the stream is noticed", async || {
        site.status().await["controlPlane"]["connected"] == false
    })
    .await;
    let answer = get(site.http(), "shop.example", "/").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(site.ask("ready").await.code, Some(0));

    let mut control_plane = site.control_plane().await;
    let hello = control_plane.session().await.hello;
    assert_eq!(
        Version::from_bytes(&hello.digest),
        Some(Snapshot::of(&resources).digest())
    );
    assert_eq!(hello.generation, 7);
}

#[tokio::test]
async fn a_first_sync_in_chunks_takes_effect_at_the_last() {
    let site = Site::new();
    let web = Backend::saying("web").await;
    let target = Snapshot::of(&shop(web.address));
    let mut control_plane = site.control_plane().await;
    let _data_plane = site.data_plane();
    let mut session = control_plane.session().await;
    let mut deltas = Session::deltas(7, &Snapshot::default(), &target, 1);
    let last = deltas.pop().unwrap();
    assert_eq!(deltas.len(), target.len() - 1);
    for delta in deltas {
        session.say(Say::Delta(delta)).await;
    }
    // Its answer shows that it has read all of them.
    assert_eq!(session.holdings().await, wire::Holdings::default());
    site.refuses_connections().await;
    let status = site.status().await;
    assert_eq!(status["generation"], 0);
    assert_eq!(status["listeners"], serde_json::json!([]));

    session.say(Say::Delta(last)).await;
    assert_eq!(
        session.answer().await,
        Said::Ack(wire::Ack { generation: 7 })
    );
    let answer = get(site.http(), "shop.example", "/").await;
    assert_eq!(&*answer.body, "web");
}

#[tokio::test]
async fn what_cannot_be_accepted_is_refused_alone_and_by_name() {
    let site = Site::new();
    let (web, api) = (Backend::saying("web").await, Backend::saying("api").await);
    let mut resources = shop(web.address);
    let mut control_plane = site.control_plane().await;
    let _data_plane = site.data_plane();
    let mut session = control_plane.serve(7, &resources).await;
    let before = Snapshot::of(&resources);

    // Beside a good new route: a route whose new version is broken, another version than its body's, a kind of the
    // future, and a certificate that only a data plane can find out about.
    resources.push(route("api.example", "/", "api"));
    resources.extend(service("api", [api.address]));
    let good = Snapshot::of(&resources);
    let broken = Entry::new(Bytes::from_static(b"no route"));
    let broken_key = route("shop.example", "/", "web").key();
    let certificate = bad_certificate();
    let mut target = good.clone();
    target.insert(broken_key.clone(), broken.into());
    target.insert(certificate.key(), Entry::new(certificate.body()).into());
    let mut delta = Session::deltas(8, &before, &target, usize::MAX).remove(0);
    delta
        .upserted
        .push(resource("route", "odd", b"changed on the way", b"odd"));
    delta
        .upserted
        .push(resource("plugin", "shop/limit", b"", b""));
    session.say(Say::Delta(delta)).await;
    let Said::Nack(nack) = session.answer().await else {
        panic!("what is refused is no Ack");
    };
    assert_eq!(nack.generation, 8);
    let refused = [
        ("certificate", "shop/tls", "private key"),
        ("plugin", "shop/limit", "\"plugin\" is not known"),
        ("route", "odd", "not the hash"),
        ("route", &*broken_key.name, "does not decode"),
    ];
    assert_refused(&nack, &refused);
    for (_, name, _) in refused {
        site.logged(name).await;
    }

    for (host, expected) in [("shop.example", "web"), ("api.example", "api")] {
        let answer = get(site.http(), host, "/").await;
        assert_eq!((answer.status, &*answer.body), (StatusCode::OK, expected));
    }
    assert_eq!(
        session.holdings().await,
        wire::Holdings::from(&good.holdings())
    );
    assert_eq!(site.status().await["generation"], 8);
    let metrics = site.ask("metrics").await.stdout;
    let refused = metrics
        .lines()
        .find_map(|line| line.strip_prefix("sluice_resources_refused "));
    assert_ne!(refused.unwrap(), "0", "{metrics}");

    drop(session);
    let hello = control_plane.session().await.hello;
    assert_eq!(Version::from_bytes(&hello.digest), Some(good.digest()));
}

#[tokio::test]
async fn a_message_that_may_not_be_ends_the_stream_and_nothing_else() {
    let site = Site::new();
    let web = Backend::saying("web").await;
    let resources = shop(web.address);
    let target = Snapshot::of(&resources);
    let mut control_plane = site.control_plane().await;
    let _data_plane = site.data_plane();
    let session = control_plane.serve(7, &resources).await;
    let deltas = Session::deltas(8, &Snapshot::default(), &target, 1);
    session.say(Say::Delta(deltas[0].clone())).await;
    let other = wire::Delta {
        generation: 9,
        ..wire::Delta::default()
    };
    session.say(Say::Delta(other)).await;
    session.ended().await;
    site.logged("a delta of generation 9 inside that of generation 8")
        .await;
    let hello = control_plane.session().await.hello;
    assert_eq!(Version::from_bytes(&hello.digest), Some(target.digest()));
    assert_eq!(hello.generation, 7);
    assert_eq!(
        get(site.http(), "shop.example", "/").await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn an_empty_delta_moves_the_number() {
    let site = Site::new();
    let web = Backend::saying("web").await;
    let resources = shop(web.address);
    let target = Snapshot::of(&resources);
    let mut control_plane = site.control_plane().await;
    let _data_plane = site.data_plane();
    let mut session = control_plane.serve(7, &resources).await;
    session.deliver(9, &target, &target).await;
    assert_eq!(site.status().await["generation"], 9);
    drop(session);
    assert_eq!(control_plane.session().await.hello.generation, 9);
}

/// Fails if others are refused than these: kind, name, and what the reason tells; sorted.
fn assert_refused(nack: &wire::Nack, expected: &[(&str, &str, &str)]) {
    let refusals = nack.refused.iter().map(|refusal| {
        let key = refusal.key.as_ref().unwrap();
        (&*key.kind, &*key.name, &*refusal.reason)
    });
    let mut refused: Vec<_> = refusals.collect();
    refused.sort_unstable();
    assert_eq!(refused.len(), expected.len(), "{refused:?}");
    for ((kind, name, reason), (its_kind, its_name, part)) in refused.into_iter().zip(expected) {
        assert_eq!((kind, name), (*its_kind, *its_name));
        assert!(reason.contains(part), "{reason}");
    }
}

fn resource(kind: &str, name: &str, body: &'static [u8], hashed: &[u8]) -> wire::Resource {
    wire::Resource {
        key: Some(wire::ResourceKey {
            kind: kind.to_owned(),
            name: name.to_owned(),
        }),
        version: Version::of(hashed).as_bytes().to_vec().into(),
        body: body.into(),
    }
}

fn bad_certificate() -> Resource {
    let material = wire::CertificateMaterial {
        chain: vec![Bytes::from_static(b"no certificate")],
        private_key: Bytes::from_static(b"no key"),
        ..wire::CertificateMaterial::default()
    };
    let certificate = wire::Certificate {
        content: Some(wire::certificate::Content::Material(material)),
    };
    let body = prost::Message::encode_to_vec(&certificate);
    Resource::parse(
        &ResourceKey::new(Kind::Certificate, "shop/tls"),
        body.into(),
    )
    .unwrap()
}
