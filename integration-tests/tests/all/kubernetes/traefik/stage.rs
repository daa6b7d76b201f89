//! What stands before the first request: the objects in the API server, the pods that they name, Sluice and Traefik beside it.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use sluice_integration_tests::certificates::Authority;
use sluice_integration_tests::client::fetch;
use sluice_integration_tests::kubernetes::Cluster;
use sluice_integration_tests::process::Process;
use sluice_integration_tests::system::{Pod, Pods, System};
use sluice_integration_tests::traefik::Traefik;

use super::ask::{Clients, Outcome, Side, ask};
use super::request::Peer;
use super::row::Row;

/// Everything that runs.
pub(super) struct Stage {
    clients: Clients,
    _traefik: Process,
    _pods: Vec<Pod>,
}

impl Stage {
    /// Sets it, and returns when both have read all objects.
    pub(super) async fn set(system: &mut System, traefik: &Traefik) -> anyhow::Result<Self> {
        let authority = Authority::create()?;
        let namespace = system.cluster().namespace();
        for address in Peer::ALL
            .map(Peer::address)
            .into_iter()
            .chain([TRAEFIK, NOBODY])
        {
            namespace.add_address(address)?;
        }
        system.plan().write_settings(&settings())?;
        let pods = start_pods(system, &authority).await?;
        apply(system.cluster(), &authority)?;
        // A control plane's first snapshot has all that was there when it started.
        system.kill_control_plane()?;
        system.start_control_plane().await?;
        system.wait_until_live().await?;
        let mut traefik = traefik.beside(system.cluster()).args(arguments()).start()?;
        let served = async || last_is_read(Self::TRAEFIK.http).await;
        traefik
            .wait_until("Traefik to have read the objects", LIMIT, served)
            .await?;
        Ok(Self {
            clients: Clients::of(&authority)?,
            _traefik: traefik,
            _pods: pods,
        })
    }

    /// Asks Traefik.
    pub(super) async fn traefik(&self, row: &Row) -> Vec<Outcome> {
        ask(Self::TRAEFIK, &self.clients, row).await
    }

    /// Asks Sluice.
    pub(super) async fn sluice(&self, row: &Row) -> Vec<Outcome> {
        let side = Side {
            name: "Sluice",
            http: System::http(0),
            https: System::https(0),
        };
        ask(side, &self.clients, row).await
    }

    /// The pod that answers for `echo`.
    pub(super) const BACKEND: SocketAddr = SocketAddr::V4(SocketAddrV4::new(PODS[0].1, Pods::PORT));

    const TRAEFIK: Side = Side {
        name: "Traefik",
        http: SocketAddr::V4(SocketAddrV4::new(TRAEFIK, 80)),
        https: SocketAddr::V4(SocketAddrV4::new(TRAEFIK, 443)),
    };
}

/// The same as of Sluice: [`settings`].
fn arguments() -> Vec<String> {
    let entry_point = |name: &str, port: u16| {
        [
            format!("--entrypoints.{name}.address={TRAEFIK}:{port}"),
            format!(
                "--entrypoints.{name}.forwardedheaders.trustedips={}",
                Peer::TRUSTED
            ),
        ]
    };
    let mut arguments = [
        entry_point("web", 80),
        entry_point("websecure", 443),
        entry_point("internal", 8081),
    ]
    .concat();
    arguments.extend(
        [
            // As its chart has it.
            "--entrypoints.websecure.http.tls=true",
            "--providers.kubernetesingress=true",
            "--providers.kubernetescrd=true",
            "--log.level=WARN",
        ]
        .map(str::to_owned),
    );
    arguments
}

/// The same as of Traefik: [`arguments`].
fn settings() -> String {
    format!(
        "
ingress: {{ controllers: [ingress.sluice.dev/controller, traefik.io/ingress-controller] }}
trustedProxies: {{ ranges: [{}], clientAddressHeader: X-Forwarded-For }}
timeouts: {{ drain: 2s }}
accessLog: {{ enabled: true }}
",
        Peer::TRUSTED
    )
}

/// Applies `traefik/*.yaml`, and the Secrets that are made anew for each run.
fn apply(cluster: &Cluster, authority: &Authority) -> anyhow::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/all/kubernetes/traefik");
    let file = |name: &str| fs::read_to_string(folder.join(name)).with_context(|| name.to_owned());
    cluster.apply(&file("ground.yaml")?)?;
    Traefik::install_kinds(cluster)?;
    let secrets = [
        authority.issue(&["*.tls.test"])?.secret("table", "table"),
        authority.secret("table", "clients"),
        authority.secret("table", "authority"),
    ];
    cluster.apply(&secrets.join("---\n"))?;
    let folder = folder
        .to_str()
        .context("the repository's path is not UTF-8")?;
    cluster.kubectl(&["apply", "--filename", folder]).map(drop)
}

/// The pods that the EndpointSlices of the objects name, and what stands at a Service's own address.
async fn start_pods(system: &System, authority: &Authority) -> anyhow::Result<Vec<Pod>> {
    let plain = Pods::of(system);
    let mut pods = Vec::new();
    for (name, address) in PODS {
        pods.push(plain.start(system, name, address, Duration::ZERO).await?);
    }
    for (name, address) in CLUSTER_ADDRESSES {
        let address = SocketAddrV4::new(address, 80);
        pods.push(
            plain
                .start_at(system, name, address, Duration::ZERO)
                .await?,
        );
    }
    let issued = authority.issue(&["secure.test"])?;
    let file = system.cluster().namespace().folder().join("secure.pem");
    fs::write(&file, issued.certificate + &issued.key)?;
    let secure = plain.with_certificate(&file);
    let address = SocketAddrV4::new(SECURE, 8443);
    pods.push(
        secure
            .start_at(system, "secure-1", address, Duration::ZERO)
            .await?,
    );
    Ok(pods)
}

async fn last_is_read(address: SocketAddr) -> anyhow::Result<()> {
    let destination = sluice_integration_tests::client::Destination {
        address,
        tls: None,
        host: "last.test".to_owned(),
        path: "/".to_owned(),
    };
    let answer = fetch(&destination).await?;
    ensure!(
        answer.header("x-last") == "read",
        "{} without X-Last",
        answer.status
    );
    Ok(())
}

const TRAEFIK: Ipv4Addr = Ipv4Addr::new(10, 244, 230, 1);
const SECURE: Ipv4Addr = Ipv4Addr::new(10, 244, 1, 5);
/// Where connections are refused.
const NOBODY: Ipv4Addr = Ipv4Addr::new(10, 244, 1, 9);
const PODS: [(&str, Ipv4Addr); 5] = [
    ("echo-1", Ipv4Addr::new(10, 244, 1, 1)),
    ("other-1", Ipv4Addr::new(10, 244, 1, 2)),
    ("pair-1", Ipv4Addr::new(10, 244, 1, 3)),
    ("pair-2", Ipv4Addr::new(10, 244, 1, 4)),
    ("auth-1", Ipv4Addr::new(10, 244, 1, 6)),
];
const CLUSTER_ADDRESSES: [(&str, Ipv4Addr); 2] = [
    ("native-1", Ipv4Addr::new(10, 96, 50, 1)),
    ("native-off-1", Ipv4Addr::new(10, 96, 50, 2)),
];
const LIMIT: Duration = Duration::from_secs(60);
