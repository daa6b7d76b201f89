//! Tests of the steps from one authority to the next, at times that the test says: the files are in memory, the
//! handshakes are real.

use std::collections::BTreeMap;

use rustls::{ClientConfig, ClientConnection, ServerConnection};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};

use super::super::content::{Change, Content, NAMES, Place};
use super::super::renewal::Renewal;
use super::super::*;

/// What is kept, in memory.
#[derive(Clone, Default)]
struct Kept(BTreeMap<&'static str, Vec<u8>>);

impl Kept {
    fn content(&self) -> Content {
        Content::new(Place::Folder("identity".into()), self.0.clone())
    }

    fn step<T>(&mut self, step: impl Fn(&mut Content) -> Result<T, IdentityError>) -> T {
        let mut content = self.content();
        let done = step(&mut content).unwrap();
        self.apply(content.changes());
        done
    }

    fn apply(&mut self, changes: &[Change]) {
        for change in changes {
            match &change.content {
                Some(text) => self.0.insert(change.name, text.clone().into_bytes()),
                None => self.0.remove(change.name),
            };
        }
    }

    fn establish(&mut self, now: Timestamp) -> Current {
        self.step(|content| establish(content, now, false))
    }

    fn renew_authority(&mut self, now: Timestamp) -> Option<Timestamp> {
        let overlap = OVERLAP;
        let distrusts = false;
        self.step(|content| Renewal::Authority { overlap, distrusts }.apply(content, now))
    }

    fn text(&self, name: &str) -> String {
        String::from_utf8(self.0.get(name).cloned().unwrap_or_default()).unwrap()
    }

    fn trusted(&self) -> usize {
        self.text("data-plane/ca.crt").matches("BEGIN").count()
    }

    fn names(&self) -> Vec<&'static str> {
        self.0.keys().copied().collect()
    }
}

/// Fails unless a data plane with this mount and this server take each other for what they are.
fn shake_hands(what: &str, server: &Current, mount: &Kept) {
    let mut roots = rustls::RootCertStore::empty();
    let bundle = mount.text("data-plane/ca.crt");
    for trusted in CertificateDer::pem_slice_iter(bundle.as_bytes()) {
        roots.add(trusted.unwrap()).unwrap();
    }
    let leaf = CertificateDer::from_pem_slice(mount.text("data-plane/tls.crt").as_bytes());
    let key = PrivateKeyDer::from_pem_slice(mount.text("data-plane/tls.key").as_bytes());
    let client = ClientConfig::builder_with_provider(pem::provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![leaf.unwrap()], key.unwrap())
        .unwrap();
    let name = ServerName::try_from(SERVER_NAME).unwrap();
    let mut client = ClientConnection::new(Arc::new(client), name).unwrap();
    let mut server = ServerConnection::new(Arc::clone(&server.server_config)).unwrap();
    while client.is_handshaking() || server.is_handshaking() {
        let mut wire = Vec::new();
        client.write_tls(&mut wire).unwrap();
        server.read_tls(&mut &wire[..]).unwrap();
        let taken = server.process_new_packets();
        taken.unwrap_or_else(|error| panic!("{what}: the server refuses: {error}"));
        let mut wire = Vec::new();
        server.write_tls(&mut wire).unwrap();
        client.read_tls(&mut &wire[..]).unwrap();
        let taken = client.process_new_packets();
        taken.unwrap_or_else(|error| panic!("{what}: the data plane refuses: {error}"));
    }
}

fn later(time: Timestamp, by: Duration) -> Timestamp {
    time.checked_add(by).unwrap()
}

fn years(years: u64) -> Timestamp {
    later(
        Timestamp::now(),
        Duration::from_secs(years * 365 * 24 * 3600),
    )
}

#[test]
fn ten_renewals_of_the_authority_lock_nobody_out() {
    let mut now = Timestamp::now();
    let mut kept = Kept::default();
    let mut server = kept.establish(now);
    let first = kept.text("control-plane/ca.crt");
    let mut mount = kept.clone();
    for renewal in 0..10 {
        for phase in ["begin", "still", "take over", "after"] {
            let what = format!("renewal {renewal}, {phase}");
            let signs = kept.text("control-plane/ca.crt");
            match phase {
                "begin" => {
                    assert_eq!(kept.renew_authority(now), Some(later(now, OVERLAP)));
                    // Asked again, nothing else begins.
                    let again = kept.renew_authority(later(now, SECOND));
                    assert_eq!(again, Some(later(now, OVERLAP)));
                }
                "still" => now = later(now, OVERLAP - SECOND),
                "take over" => now = later(now, SECOND),
                _ => now = later(now, SECOND),
            }
            let new = kept.establish(now);
            let signs_now = kept.text("control-plane/ca.crt");
            assert_eq!(signs != signs_now, phase == "take over", "{what}");
            // A replica that has not looked yet, a kubelet that has not been there yet: each with the other.
            for (server, is) in [(&server, "old"), (&new, "new")] {
                shake_hands(&format!("{what}: {is} server, old mount"), server, &mount);
                shake_hands(&format!("{what}: {is} server, new mount"), server, &kept);
            }
            (server, mount) = (new, kept.clone());
            assert!(kept.trusted() <= 4, "{what}: the bundle is bounded");
        }
    }
    assert_eq!(kept.trusted(), 3, "the one that signs, and two before");
    assert!(!kept.text("data-plane/ca.crt").contains(&first));
    assert!(kept.names().iter().all(|name| !name.contains("next-ca")));
    // It signs indeed: whoever trusts it alone trusts both.
    kept.0.remove("control-plane/previous-ca.crt");
    let alone = kept.establish(now);
    assert_eq!(kept.trusted(), 1);
    shake_hands("the last authority alone", &alone, &kept);
    shake_hands("the last authority alone, old mount", &alone, &mount);
}

#[test]
fn a_step_that_breaks_off_anywhere_is_carried_on() {
    let now = Timestamp::now();
    let mut kept = Kept::default();
    kept.establish(now);
    for (what, at) in [("begin", now), ("take over", later(now, OVERLAP))] {
        let before = kept.clone();
        let mut content = kept.content();
        if what == "begin" {
            let overlap = OVERLAP;
            let renewal = Renewal::Authority {
                overlap,
                distrusts: true,
            };
            renewal.apply(&mut content, at).unwrap();
        } else {
            establish(&mut content, at, false).unwrap();
        }
        let changes = content.changes();
        assert!(changes.len() > 2, "{what}: {}", changes.len());
        for written in 0..changes.len() {
            let what = format!("{what}, {written} of {} written", changes.len());
            let mut broken = kept.clone();
            broken.apply(&changes[..written]);
            let old_mount = broken.clone();
            let healed = broken.establish(at);
            shake_hands(&format!("{what}: mount of before"), &healed, &before);
            shake_hands(&format!("{what}: new mount"), &healed, &broken);
            // In the middle of writing a pair of files, a folder holds two that do not belong together.
            let pair = |kept: &Kept| kept.text("data-plane/tls.key");
            if pair(&old_mount) == pair(&broken) {
                shake_hands(&format!("{what}: mount of then"), &healed, &old_mount);
            }
            let again = broken.clone();
            broken.establish(at);
            assert!(broken.0 == again.0, "{what}: it is settled at once");
        }
        kept.apply(changes);
    }
}

#[test]
fn the_overlap_counts_from_when_data_planes_were_given_the_bundle() {
    let now = Timestamp::now();
    let mut kept = Kept::default();
    kept.establish(now);
    let mut content = kept.content();
    let overlap = OVERLAP;
    let distrusts = false;
    Renewal::Authority { overlap, distrusts }
        .apply(&mut content, now)
        .unwrap();
    let of_control_plane = content.changes().iter();
    let of_control_plane =
        of_control_plane.filter(|change| change.name.starts_with("control-plane/"));
    kept.apply(&of_control_plane.cloned().collect::<Vec<_>>());
    assert_eq!(kept.trusted(), 1, "the second Secret was not written");
    let signs = kept.text("control-plane/ca.crt");
    // Whoever looks next, however late, gives the data planes the whole overlap.
    let late = later(now, OVERLAP * 2);
    let current = kept.establish(late);
    assert_eq!(kept.trusted(), 2);
    assert_eq!(kept.text("control-plane/ca.crt"), signs);
    assert_eq!(
        current.next_authority_signs_after(),
        Some(later(late, OVERLAP))
    );
}

#[test]
fn an_authority_that_is_distrusted_is_trusted_no_more_once_everybody_has_another_certificate() {
    let mut now = Timestamp::now();
    let mut kept = Kept::default();
    kept.establish(now);
    // One before it, which is to go, too.
    kept.renew_authority(now);
    now = later(now, OVERLAP);
    kept.establish(now);
    let (overlap, distrusts) = (OVERLAP, true);
    kept.step(|content| Renewal::Authority { overlap, distrusts }.apply(content, now));
    let stolen = kept.clone();
    now = later(now, OVERLAP);
    let signing = kept.establish(now);
    assert_eq!(kept.trusted(), 3, "data planes learn of their certificates");
    assert_eq!(signing.next_step(now), Some(later(now, OVERLAP)));
    shake_hands("the new one signs", &signing, &stolen);
    let before = kept.clone();
    now = later(now, OVERLAP);
    let alone = kept.establish(now);
    assert_eq!(kept.trusted(), 1);
    assert_eq!(alone.next_step(now), None);
    shake_hands("whoever has learnt", &alone, &kept);
    shake_hands("whoever has learnt most of it", &alone, &before);
    let leaf = CertificateDer::from_pem_slice(stolen.text("data-plane/tls.crt").as_bytes());
    let verified = alone
        .client_verifier
        .verify_client_cert(&leaf.unwrap(), &[], UnixTime::now());
    assert!(verified.is_err(), "a stolen certificate is none");

    // The next renewal is an ordinary one.
    kept.renew_authority(now);
    now = later(now, OVERLAP);
    assert_eq!(kept.establish(now).next_step(now), None);
    assert_eq!(kept.trusted(), 2);
    assert!(kept.names().iter().all(|name| !name.contains("until")));
}

#[test]
fn an_authority_in_the_last_third_of_its_life_is_followed_by_itself() {
    let mut kept = Kept::default();
    kept.establish(Timestamp::now());
    let signs = kept.text("control-plane/ca.crt");
    let keys = |kept: &Kept| kept.text("control-plane/ca.key");
    let key = keys(&kept);
    assert!(kept.establish(years(6)).authorities.next.is_none());
    let due = years(7);
    let waiting = kept.establish(due);
    let overlap = succession::OVERLAP;
    assert_eq!(
        waiting.next_authority_signs_after(),
        Some(later(due, overlap))
    );
    let names: Vec<_> = waiting.lifetimes().iter().map(|one| one.name).collect();
    assert_eq!(names[1], "next-authority");
    assert_eq!(kept.text("control-plane/ca.crt"), signs);
    kept.establish(later(due, overlap));
    assert_ne!(kept.text("control-plane/ca.crt"), signs);
    assert_ne!(keys(&kept), key, "its key is another");
    assert!(
        kept.text("data-plane/ca.crt").contains(&signs),
        "it stays trusted"
    );
    kept.establish(years(11));
    assert!(
        !kept.text("data-plane/ca.crt").contains(&signs),
        "it has ended"
    );
    assert!(!kept.names().contains(&"control-plane/previous-ca.crt"));
}

#[test]
fn an_authority_that_has_ended_is_followed_at_once() {
    let mut kept = Kept::default();
    kept.establish(Timestamp::now());
    let signs = kept.text("control-plane/ca.crt");
    let current = kept.establish(years(12));
    assert!(current.authorities.next.is_none());
    assert_ne!(kept.text("control-plane/ca.crt"), signs);
    assert_eq!(kept.trusted(), 1);
}

#[test]
fn what_is_asked_for_is_made_anew_and_nothing_else() {
    let now = Timestamp::now();
    let mut kept = Kept::default();
    kept.establish(now);
    let changed = |kept: &mut Kept, renewal: Renewal| -> Vec<_> {
        let before = kept.clone();
        kept.step(|content| renewal.apply(content, now));
        let names = NAMES.into_iter();
        names
            .filter(|name| before.0.get(name) != kept.0.get(name))
            .collect()
    };
    let certificates = [
        "control-plane/tls.crt",
        "control-plane/tls.key",
        "control-plane/default.crt",
        "control-plane/default.key",
        "data-plane/tls.crt",
        "data-plane/tls.key",
    ];
    assert_eq!(changed(&mut kept, Renewal::Certificates), certificates);
    let seal = kept.text("data-plane/seal.key");
    let keys = ["data-plane/seal.key", "data-plane/seal.key.previous"];
    assert_eq!(changed(&mut kept, Renewal::SealKey), keys);
    assert_eq!(kept.text("data-plane/seal.key.previous"), seal);
    assert_eq!(changed(&mut kept, Renewal::SealKey), keys);
    assert_ne!(kept.text("data-plane/seal.key.previous"), seal);
}

#[test]
fn a_malformed_file_of_a_succession_is_named_and_left_alone() {
    let now = Timestamp::now();
    let mut kept = Kept::default();
    kept.establish(now);
    kept.renew_authority(now);
    kept.establish(later(now, OVERLAP));
    kept.renew_authority(later(now, OVERLAP));
    kept.step(|content| Renewal::SealKey.apply(content, now));
    for name in [
        "control-plane/next-ca.crt",
        "control-plane/next-ca.key",
        "control-plane/previous-ca.crt",
        "control-plane/previous-ca.until",
        "data-plane/next-ca.after",
        "data-plane/seal.key.previous",
    ] {
        for garbage in [
            &b"nonsense"[..],
            b"\xff\xfe",
            b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        ] {
            // Text between certificates is a comment (RFC 7468, section 5.2).
            if name.contains("previous-ca.crt") && garbage == b"nonsense" {
                continue;
            }
            let mut broken = kept.clone();
            broken.0.insert(name, garbage.to_vec());
            let mut content = broken.content();
            let error = establish(&mut content, now, false).err();
            let error = error.unwrap_or_else(|| panic!("{name}: taken")).to_string();
            assert!(error.contains(name), "{name}: {error}");
            assert!(!error.contains("nonsense"), "{name}: {error}");
        }
    }
    let mut broken = kept.clone();
    broken.0.remove("control-plane/next-ca.key");
    let error = establish(&mut broken.content(), now, false).err().unwrap();
    assert!(error.to_string().contains("next-ca.crt"), "{error}");
}

/// Ten renewals take no longer than what certificates are dated back.
const OVERLAP: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);
