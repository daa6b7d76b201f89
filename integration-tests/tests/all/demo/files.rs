//! What only files can say, since a real API server refuses it: wildcards and paths that are none, malformed YAML, unknown
//! kinds and fields, a file that is half written. Each costs what it names.

use std::fs;
use std::time::Duration;

use anyhow::ensure;
use sluice_integration_tests::client::{Answer, Destination, fetch};
use sluice_integration_tests::demo::{Addresses, Demo};
use sluice_integration_tests::introspection::Introspection;
use sluice_integration_tests::programs::Programs;
use sluice_integration_tests::system::{require_backend, require_refused};
use sluice_integration_tests::wait;
use sluice_proto::wire;

#[tokio::test(flavor = "multi_thread")]
async fn what_no_api_server_takes_costs_its_own_host_and_path() {
    let demo = Edited::start(25080).await;
    demo.write(
        "wildcard.yaml",
        &WRONG
            .replace("HOST", "foo.*.example.com")
            .replace("PATH", "/"),
    );
    demo.write(
        "path.yaml",
        &WRONG
            .replace("HOST", "path.example.com")
            .replace("PATH", "no-slash")
            .replace("wrong", "path"),
    );
    let wildcard = demo.wait_for_problem("foo.*.example.com").await;
    assert!(wildcard.field.contains("rules[0].host"), "{wildcard:?}");
    let path = demo.wait_for_problem("no-slash").await;
    assert!(path.field.contains("paths[0].path"), "{path:?}");
    assert!(!wildcard.remedy.is_empty() && !path.remedy.is_empty());
    demo.wait_for("path.example.com", "/no-slash", |answer| {
        require_refused(answer, 503)
    })
    .await;
    demo.require_unharmed().await;
    demo.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_yaml_or_unknown_is_named_and_costs_nothing_else() {
    let demo = Edited::start(26080).await;
    demo.write("malformed.yaml", "kind: [unclosed\n  nothing: {");
    demo.write(
        "kind.yaml",
        "apiVersion: example.com/v1\nkind: Unheard\nmetadata: { name: of }\n",
    );
    let misspelt = WRONG
        .replace("HOST", "misspelt.example.com")
        .replace("PATH", "/")
        .replace("pathType", "pathTyp");
    demo.write("field.yaml", &misspelt);
    for part in ["malformed.yaml", "Unheard", "pathTyp"] {
        let problem = demo.wait_for_problem(part).await;
        assert!(!problem.remedy.is_empty(), "{problem:?}");
    }
    demo.require_unharmed().await;

    // Mended, nothing is left to say.
    for file in ["malformed.yaml", "kind.yaml", "field.yaml"] {
        fs::remove_file(demo.demo.objects().join(file)).unwrap();
    }
    let introspection = demo.introspection();
    wait::until("no problem", LIMIT, async || {
        let problems = introspection.problems("").await?.problems;
        ensure!(problems.is_empty(), "{problems:#?}");
        Ok::<_, anyhow::Error>(())
    })
    .await
    .unwrap();
    demo.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_half_written_file_is_no_outage() {
    let demo = Edited::start(27080).await;
    let ingresses = demo.demo.objects().join("ingresses.yaml");
    let whole = fs::read_to_string(&ingresses).unwrap();
    // Cut in the midst of a word, at a place where what is left is no YAML, either.
    let cut = whole.find("rules:").unwrap() + 3;
    fs::write(&ingresses, &whole[..cut]).unwrap();
    demo.wait_for_problem("ingresses.yaml").await;
    demo.require_unharmed().await;
    fs::write(
        &ingresses,
        whole.replace("admin.myhoneydue.com", "office.myhoneydue.com"),
    )
    .unwrap();
    demo.wait_for("office.myhoneydue.com", "/", |answer| {
        require_backend(answer, "admin-")
    })
    .await;
    demo.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_change_without_a_restart_and_malformed_ones_change_nothing() {
    let demo = Edited::start(28080).await;
    let settings = fs::read_to_string(demo.demo.settings()).unwrap();
    demo.require_unharmed().await;
    // A request of this client has two header fields.
    fs::write(
        demo.demo.settings(),
        format!("{settings}limits: {{ headerCount: 1 }}\n"),
    )
    .unwrap();
    demo.wait_for("api.myhoneydue.com", "/", |answer| {
        require_refused(answer, 431)
    })
    .await;

    for (wrong, part) in [
        ("limits: { headerCuont: 1000 }", "headerCuont"),
        ("limits: { headerCount: many }", "headerCount"),
    ] {
        fs::write(demo.demo.settings(), format!("{settings}{wrong}\n")).unwrap();
        let problem = demo.wait_for_problem(part).await;
        assert!(
            format!("{problem:?}").contains("settings.yaml"),
            "{problem:?}"
        );
        demo.wait_for("api.myhoneydue.com", "/", |answer| {
            require_refused(answer, 431)
        })
        .await;
    }
    fs::write(demo.demo.settings(), settings).unwrap();
    demo.wait_for("api.myhoneydue.com", "/", |answer| {
        require_backend(answer, "api-")
    })
    .await;
    demo.require_unharmed().await;
    demo.end();
}

/// A demonstration whose folder is edited.
struct Edited {
    demo: Demo,
    addresses: Addresses,
}

impl Edited {
    async fn start(base: u16) -> Self {
        let addresses = Addresses::from_base(base).unwrap();
        let programs = tokio::task::block_in_place(Programs::built_once).unwrap();
        Self {
            demo: Demo::start(programs, addresses).await.unwrap(),
            addresses,
        }
    }

    fn write(&self, file: &str, yaml: &str) {
        fs::write(self.demo.objects().join(file), yaml).unwrap();
    }

    fn introspection(&self) -> Introspection {
        Introspection::new(self.addresses.introspection()).unwrap()
    }

    /// Waits for a problem that says this, wherever it says it.
    async fn wait_for_problem(&self, part: &str) -> wire::Problem {
        let introspection = self.introspection();
        wait::until(&format!("a problem that names {part}"), LIMIT, async || {
            let problems = introspection.problems("").await?.problems;
            let found = problems
                .iter()
                .find(|problem| format!("{problem:?}").contains(part));
            found
                .cloned()
                .ok_or_else(|| anyhow::anyhow!("{problems:#?}"))
        })
        .await
        .unwrap()
    }

    async fn wait_for(
        &self,
        host: &str,
        path: &str,
        judge: impl Fn(&Answer) -> anyhow::Result<()>,
    ) {
        for node in 1..=Addresses::NODES {
            let address = self.addresses.http(node);
            let destination = Destination {
                address,
                tls: None,
                host: host.to_owned(),
                path: path.to_owned(),
            };
            wait::until(host, LIMIT, async || judge(&fetch(&destination).await?))
                .await
                .unwrap();
        }
    }

    /// The first user's hosts answer as before, at once.
    async fn require_unharmed(&self) {
        for node in 1..=Addresses::NODES {
            for (host, backend) in [
                ("api.myhoneydue.com", "api-"),
                ("admin.myhoneydue.com", "admin-"),
            ] {
                let address = self.addresses.http(node);
                let destination = Destination {
                    address,
                    tls: None,
                    host: host.to_owned(),
                    path: "/".to_owned(),
                };
                require_backend(&fetch(&destination).await.unwrap(), backend).unwrap();
            }
        }
    }

    fn end(self) {
        self.demo.stop().unwrap();
    }
}

const WRONG: &str = "
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: { name: wrong, namespace: honeydue }
spec:
  ingressClassName: traefik
  rules:
    - host: 'HOST'
      http:
        paths:
          - { path: PATH, pathType: Prefix, backend: { service: { name: api, port: { number: 8000 } } } }
";
const LIMIT: Duration = Duration::from_secs(30);
