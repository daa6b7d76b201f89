//! The reconcile loop on a source that the test is.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod told;

use std::time::Duration;

use sluice_proto::{Kind, ObjectReference, ResourceKey};
use sluice_translate::parse_objects;
use tempfile::TempDir;
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::AbortOnDropHandle;

use super::*;
use crate::identity::Store;
use crate::publication::Publication;
use crate::source::SecretNames;

/// A loop, and both its ends.
struct Running {
    batches: mpsc::Sender<Batch>,
    wanted: watch::Receiver<SecretNames>,
    board: watch::Receiver<Board>,
    arrived: broadcast::Receiver<Arc<Arrived>>,
    settings: watch::Sender<CurrentSettings>,
    publications: Publications,
    metrics: Arc<Metrics>,
    ended: oneshot::Receiver<ReconcileError>,
    _task: AbortOnDropHandle<()>,
    identity: Identity,
    folder: TempDir,
}

impl Running {
    /// Starts the loop when these batches are waiting for it already.
    async fn start(waiting: Vec<Batch>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::folder(folder.path());
        let identity = Identity::open(store).await.unwrap();
        let (batches, receiver) = mpsc::channel(1000);
        let (secrets, wanted) = watch::channel(SecretNames::new());
        let (settings, settings_receiver) = watch::channel(CurrentSettings {
            settings: Arc::default(),
            problem: None,
        });
        for batch in waiting {
            batches.send(batch).await.unwrap();
        }
        let publisher = Publisher::new();
        let publications = publisher.subscribe();
        let metrics = Arc::new(Metrics::new());
        let source = Source {
            batches: receiver,
            secrets: Some(secrets),
        };
        let reconcile = Reconcile::new(
            source,
            settings_receiver,
            &identity,
            publisher,
            Arc::clone(&metrics),
        );
        let (board, arrived) = (reconcile.board(), reconcile.arrived().subscribe());
        let (sender, ended) = oneshot::channel();
        let task = tokio::spawn(async {
            let Err(error) = reconcile.run().await;
            let _ = sender.send(error);
        });
        Self {
            batches,
            wanted,
            board,
            arrived,
            settings,
            publications,
            metrics,
            ended,
            _task: AbortOnDropHandle::new(task),
            identity,
            folder,
        }
    }

    async fn send(&self, batch: Batch) {
        self.batches.send(batch).await.unwrap();
    }

    /// Waits for a publication that satisfies the condition.
    async fn until(
        &mut self,
        what: &str,
        condition: impl Fn(&Publication) -> bool,
    ) -> Arc<Publication> {
        let holds = |latest: &Option<Arc<Publication>>| latest.as_deref().is_some_and(&condition);
        let found = soon(what, self.publications.wait_for(holds)).await;
        found.unwrap().clone().unwrap()
    }

    /// Waits until the loop has taken in so many objects.
    async fn taken_in(&self, objects: u64) {
        let line = "sluice_source_objects_total{change=\"applied\"} ";
        let all = async {
            while !self
                .metrics
                .encode()
                .unwrap()
                .contains(&format!("{line}{objects}\n"))
            {
                tokio::task::yield_now().await;
            }
        };
        soon("objects are taken in", all).await;
    }

    async fn asked_for(&mut self, name: &str) {
        let name = ("shop".to_owned(), name.to_owned());
        let asked = self.wanted.wait_for(|wanted| wanted.contains(&name));
        drop(soon("the Secret is asked for", asked).await.unwrap());
    }
}

async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let result = tokio::time::timeout(Duration::from_secs(20), future).await;
    result.unwrap_or_else(|_| panic!("waited in vain: {what}"))
}

fn objects(yaml: &str) -> Batch {
    let parsed = parse_objects(yaml);
    assert_eq!(parsed.problems, []);
    Batch {
        applied: parsed.objects,
        ..Batch::default()
    }
}

fn synced() -> Batch {
    Batch {
        synced: true,
        ..Batch::default()
    }
}

fn known(name: &str) -> Batch {
    Batch {
        secrets: vec![SecretAccess::Known {
            namespace: "shop".to_owned(),
            names: [name.to_owned()].into(),
        }],
        ..Batch::default()
    }
}

/// Returns the answer to a lookup of a Secret that is there. (What it holds is no certificate, but that is another
/// problem than that it is missing.)
fn secret(name: &str) -> Batch {
    let found = objects(&format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}, namespace: shop}}\ntype: kubernetes.io/tls\ndata: \
         {{tls.crt: YQ==, tls.key: Yg==}}\n"
    ));
    Batch {
        applied: found.applied,
        ..known(name)
    }
}

/// Returns an IngressClass, a Service and its endpoints.
fn base() -> Batch {
    objects(&format!(
        "{CLASS}---\n{}---\n{}",
        service(80),
        endpoints("10.1.1.1")
    ))
}

fn service(port: u16) -> String {
    format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: web, namespace: shop}}\nspec: {{ports: [{{name: http, port: \
         {port}}}]}}\n"
    )
}

fn endpoints(address: &str) -> String {
    format!(
        "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {{name: web-1, namespace: shop, labels: \
         {{kubernetes.io/service-name: web}}}}\naddressType: IPv4\nports: [{{name: http, port: 8080}}]\nendpoints: \
         [{{addresses: [{address}]}}]\n"
    )
}

fn ingress(name: &str, secret: Option<&str>) -> Batch {
    let tls = secret.map_or_else(String::new, |secret| {
        format!("  tls: [{{hosts: [{name}.example.com], secretName: {secret}}}]\n")
    });
    objects(&format!(
        "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: {name}, namespace: shop}}\nspec:\n  \
         ingressClassName: sluice\n{tls}  rules:\n    - host: {name}.example.com\n      http: {{paths: [{{path: /, \
         pathType: Prefix, backend: {{service: {{name: web, port: {{number: 80}}}}}}}}]}}\n"
    ))
}

fn count(publication: &Publication, kind: Kind) -> usize {
    let keys = publication.snapshot().iter();
    keys.filter(|(key, _)| key.kind == kind).count()
}

fn has_problem(publication: &Publication, code: &str) -> bool {
    let mut problems = publication.translation.problems.iter();
    problems.any(|problem| problem.code == code)
}

#[tokio::test]
async fn nothing_is_published_before_everything_was_read() {
    let mut running = Running::start(vec![base(), ingress("a", None)]).await;
    running.taken_in(4).await;
    running.send(ingress("b", Some("cert"))).await;
    running.taken_in(5).await;
    running.send(synced()).await;
    running.asked_for("cert").await;
    running.send(secret("cert")).await;
    let first = running.until("the first", |_| true).await;
    assert_eq!(first.generation, 1);
    assert_eq!(count(&first, Kind::Route), 2);
    assert!(!has_problem(&first, "SecretMissing"), "it was looked up");
}

#[tokio::test]
async fn a_new_certificate_is_looked_up_before_its_ingress_counts_as_broken() {
    let mut running = Running::start(vec![base(), ingress("a", None), synced()]).await;
    running.until("the first", |_| true).await;
    running.send(ingress("b", Some("cert"))).await;
    running.asked_for("cert").await;
    running.send(secret("cert")).await;
    let next = running.until("b", |now| count(now, Kind::Route) == 2).await;
    assert!(!has_problem(&next, "SecretMissing"), "not for a moment");
    assert_eq!(next.generation, 2, "nothing was published in between");
}

#[tokio::test]
async fn a_lookup_that_is_never_answered_holds_up_others_only_for_a_while() {
    let mut running = Running::start(vec![base(), ingress("a", None), synced()]).await;
    running.until("the first", |_| true).await;
    running.send(ingress("b", Some("cert"))).await;
    running.send(ingress("c", None)).await;
    running
        .until("b and c", |now| count(now, Kind::Route) == 3)
        .await;
}

#[tokio::test]
async fn a_denied_namespace_is_a_problem_until_it_is_granted() {
    let denied = Batch {
        secrets: vec![SecretAccess::Denied {
            namespace: "shop".to_owned(),
        }],
        ..Batch::default()
    };
    let mut running = Running::start(vec![base(), ingress("a", Some("cert")), synced()]).await;
    running.asked_for("cert").await;
    running.send(denied).await;
    running
        .until("denied", |now| has_problem(now, "SecretsForbidden"))
        .await;
    running.send(known("cert")).await;
    running
        .until("granted", |now| !has_problem(now, "SecretsForbidden"))
        .await;
}

#[tokio::test]
async fn what_comes_while_it_is_busy_is_taken_together_and_none_is_lost() {
    let mut waiting = vec![base(), synced()];
    waiting.extend((0..500).map(|number| ingress(&format!("i{number}"), None)));
    let mut running = Running::start(waiting).await;
    let last = running
        .until("all", |now| count(now, Kind::Route) == 500)
        .await;
    assert!(last.generation <= 3, "{} translations", last.generation);
}

#[tokio::test]
async fn endpoints_change_and_nothing_else() {
    let mut running = Running::start(vec![base(), ingress("a", None), synced()]).await;
    let first = running.until("the first", |_| true).await;
    running.send(objects(&endpoints("10.1.1.2"))).await;
    let second = running.until("the second", |now| now.generation == 2).await;
    for (key, entry) in first.snapshot().iter() {
        let same = second.snapshot().entry(key) == Some(entry);
        assert_eq!(same, key.kind != Kind::Endpoints, "{key}");
    }
}

#[tokio::test]
async fn what_nobody_refers_to_is_not_translated() {
    let mut running = Running::start(vec![base(), ingress("a", None), synced()]).await;
    running.until("the first", |_| true).await;
    running
        .send(objects(&service(80).replace("web", "other")))
        .await;
    running.taken_in(5).await;
    running.send(ingress("b", None)).await;
    running.until("b", |now| count(now, Kind::Route) == 2).await;
    let metrics = running.metrics.encode().unwrap();
    let translations = metrics
        .lines()
        .find_map(|line| line.strip_prefix("sluice_reconcile_duration_seconds_count "));
    assert_eq!(translations, Some("2"));
}

#[tokio::test]
async fn a_removed_object_is_gone() {
    let mut running = Running::start(vec![base(), ingress("a", None), synced()]).await;
    running
        .until("the first", |now| count(now, Kind::Route) == 1)
        .await;
    let removed = ObjectReference {
        kind: "Ingress".to_owned(),
        namespace: "shop".to_owned(),
        name: "a".to_owned(),
    };
    running
        .send(Batch {
            removed: vec![removed],
            ..Batch::default()
        })
        .await;
    running
        .until("no route", |now| count(now, Kind::Route) == 0)
        .await;
}

#[tokio::test]
async fn a_new_default_certificate_is_published_at_once() {
    let mut running = Running::start(vec![base(), synced()]).await;
    let first = running.until("the first", |_| true).await;
    let file = running.folder.path().join("control-plane/default.crt");
    std::fs::remove_file(file).unwrap();
    running.identity.refresh().await.unwrap();
    let second = running
        .until("the second", |now| now.digest() != first.digest())
        .await;
    let key = ResourceKey::new(Kind::Certificate, "default");
    let default = |publication: &Publication| publication.translation.resources[&key].clone();
    assert_ne!(default(&second), default(&first));
}

#[tokio::test]
async fn settings_and_problems_of_the_source_are_published() {
    let mut running = Running::start(vec![base(), synced()]).await;
    let first = running.until("the first", |_| true).await;
    let problem = |code: &str| Problem {
        object: ObjectReference {
            kind: "File".to_owned(),
            namespace: String::new(),
            name: "a.yaml".to_owned(),
        },
        field: String::new(),
        code: code.to_owned(),
        message: "m".to_owned(),
        remedy: "r".to_owned(),
    };
    running
        .send(Batch {
            problems: Some(vec![problem("FileUnreadable")]),
            ..Batch::default()
        })
        .await;
    let same = running
        .until("it", |now| has_problem(now, "FileUnreadable"))
        .await;
    assert_eq!(same.generation, first.generation, "no snapshot changed");

    let mut settings = sluice_translate::EdgeSettings::default();
    settings.edge.access_log.enabled = true;
    running.settings.send_replace(CurrentSettings {
        settings: Arc::new(settings),
        problem: Some(problem("SettingsUnusable")),
    });
    let next = running
        .until("both", |now| has_problem(now, "SettingsUnusable"))
        .await;
    assert!(has_problem(&next, "FileUnreadable"), "it still holds");
    let key = ResourceKey::new(Kind::Settings, "edge");
    assert_ne!(next.snapshot().entry(&key), first.snapshot().entry(&key));

    running.send(objects(&endpoints("10.1.1.9"))).await;
    running
        .send(Batch {
            problems: Some(Vec::new()),
            ..Batch::default()
        })
        .await;
    running
        .until("one is over", |now| !has_problem(now, "FileUnreadable"))
        .await;
}

#[tokio::test]
async fn the_end_of_what_it_needs_is_named() {
    let Running {
        batches,
        ended,
        _task,
        ..
    } = Running::start(vec![]).await;
    drop(batches);
    // The settings' sender was dropped with the rest: either may be noticed first.
    let error = soon("the end", ended).await.unwrap();
    assert!(
        matches!(
            error,
            ReconcileError::SourceEnded | ReconcileError::SettingsEnded
        ),
        "{error}"
    );
}

const CLASS: &str = "apiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata: {name: sluice}\nspec: {controller: \
                     ingress.sluice.dev/controller}\n";
