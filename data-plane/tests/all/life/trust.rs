//! What the log says when the two planes do not trust each other: which file or flag to look at; and renewal without a
//! restart.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::Path;

use rustix::process::Signal;

use super::harness::*;

#[tokio::test]
async fn a_refused_certificate_is_told_with_the_file_to_look_at() {
    let site = Site::new();
    let trusted = fs::read(site.identity().join("ca.crt")).unwrap();
    Authority::new().write(&site.identity());
    fs::write(site.identity().join("ca.crt"), trusted).unwrap();
    let mut control_plane = site.control_plane().await;
    let _data_plane = site.data_plane();
    site.logged("does not accept tls.crt of --identity-dir")
        .await;
    assert!(control_plane.is_untouched());
    site.refuses_connections().await;
}

#[tokio::test]
async fn a_foreign_authority_is_told_with_the_file_to_look_at() {
    let site = Site::new();
    let _control_plane = ControlPlane::start(site.stream(), Authority::new().server()).await;
    let _data_plane = site.data_plane();
    site.logged("not of the authority in ca.crt of --identity-dir")
        .await;
    // What follows from it alone is not told again and again.
    assert_eq!(site.log().matches("invalid peer certificate").count(), 1);
}

#[tokio::test]
async fn a_server_of_the_same_authority_that_is_no_control_plane_is_not_trusted() {
    let site = Site::new();
    // Whoever has the data planes' certificate must not be able to give them a snapshot.
    let tls = site.authority.server_named("data-plane.sluice.internal");
    let mut control_plane = ControlPlane::start(site.stream(), tls).await;
    let _data_plane = site.data_plane();
    site.logged("is not the stream of a control plane: check --control-plane")
        .await;
    assert!(control_plane.is_untouched());
    site.refuses_connections().await;
}

#[tokio::test]
async fn files_that_do_not_belong_together_are_named() {
    let site = Site::new();
    let other = Site::new();
    let key = other.identity().join("tls.key");
    fs::copy(key, site.identity().join("tls.key")).unwrap();
    let _control_plane = site.control_plane().await;
    let _data_plane = site.data_plane();
    site.logged("tls.crt and tls.key of --identity-dir must be of one pair")
        .await;
}

#[tokio::test]
async fn a_renewed_identity_needs_no_restart() {
    let mut site = Site::new();
    let web = Backend::saying("web").await;
    let resources = shop(web.address);
    let mut control_plane = site.control_plane().await;
    let _data_plane = site.data_plane();
    let session = control_plane.serve(1, &resources).await;
    let instance = session.hello.instance.clone();
    control_plane.stop().await;

    site.authority = Authority::new();
    site.authority.write(&site.identity());
    let mut control_plane = site.control_plane().await;
    let session = control_plane.session().await;
    assert_eq!(session.hello.instance, instance, "it is the same process");
    assert_eq!(session.hello.generation, 1);
}

#[tokio::test]
async fn what_a_kubelet_swaps_is_for_the_next_connection_and_the_next_seal() {
    let site = Site::new();
    let web = Backend::saying("web").await;
    let (identity, next) = (site.identity(), Authority::new());
    for name in ["ca.crt", "tls.crt", "tls.key", "seal.key"] {
        fs::remove_file(identity.join(name)).unwrap();
        symlink(Path::new("..data").join(name), identity.join(name)).unwrap();
    }
    let old = swap(&identity, "..1", &site.authority, "5e", None);
    let mut control_plane = site.control_plane().await;
    let data_plane = site.data_plane();
    let session = control_plane.serve(1, &shop(web.address)).await;
    site.copied().await;
    let written = fs::metadata(site.copy()).unwrap().ino();

    let trusted = fs::read_to_string(old.join("ca.crt")).unwrap();
    swap(&identity, "..2", &next, "5f", Some(&trusted));
    fs::remove_dir_all(old).unwrap();
    eventually("a copy under the new seal key", async || {
        fs::metadata(site.copy()).unwrap().ino() != written
    })
    .await;
    assert!(control_plane.is_untouched(), "the stream stays as it is");
    drop(session);
    control_plane.stop().await;

    // Of the authority that followed, and trusting no other.
    let mut control_plane = ControlPlane::start(site.stream(), next.server()).await;
    let hello = control_plane.session().await.hello;
    assert_eq!(hello.generation, 1);
    control_plane.stop().await;
    data_plane.end(Signal::KILL).await;

    // The seal key of before is no more, and not needed.
    let _data_plane = site.data_plane();
    site.ready().await;
    assert_eq!(get(site.http(), "shop.example", "/").await.body, "web");
}

/// Puts what this authority gives to data planes in the place of what was mounted, as a kubelet does: all at once.
fn swap(
    identity: &Path,
    version: &str,
    authority: &Authority,
    seal_key: &str,
    trusted: Option<&str>,
) -> std::path::PathBuf {
    let folder = identity.join(version);
    authority.write(&folder);
    let bundle = fs::read_to_string(folder.join("ca.crt")).unwrap() + trusted.unwrap_or_default();
    fs::write(folder.join("ca.crt"), bundle).unwrap();
    fs::write(folder.join("seal.key"), seal_key.repeat(32)).unwrap();
    symlink(version, identity.join("..data_tmp")).unwrap();
    fs::rename(identity.join("..data_tmp"), identity.join("..data")).unwrap();
    folder
}
