//! Sluice and the first user's Ingresses on three nodes: what scenarios do to them and wait for.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use rustls::ClientConfig;
use sluice_integration_tests::certificates::Authority;
use sluice_integration_tests::client::{ClientError, fetch};
use sluice_integration_tests::metrics::sample;
use sluice_integration_tests::nodes::Nodes;
use sluice_integration_tests::programs::repository;
use sluice_integration_tests::wait;
use tokio::net::TcpStream;
use tokio::signal::unix::{SignalKind, signal};

use crate::run::LIMIT;
use crate::traffic::{SECURE_HOST, http, https, root};

/// The cluster that all scenarios share.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) nodes: Nodes,
    /// Who issues the certificates of hosts.
    pub(crate) authority: Authority,
    /// What a client needs to speak TLS and HTTP/1.1 with a host.
    pub(crate) http1: Arc<ClientConfig>,
    /// What a client needs to speak TLS and HTTP/2 with a host.
    pub(crate) http2: Arc<ClientConfig>,
    /// Whether everything is to be shown at full length.
    pub(crate) full: bool,
}

impl Stage {
    /// Starts the cluster, without Sluice.
    pub(crate) fn start(images: &[PathBuf], full: bool) -> anyhow::Result<Self> {
        let authority = Authority::create()?;
        Ok(Self {
            nodes: Nodes::start(images)?,
            http1: authority.trusting_client(&["http/1.1"])?,
            http2: authority.trusting_client(&["h2"])?,
            authority,
            full,
        })
    }

    /// How long an outage is.
    pub(crate) const fn outage(&self) -> Duration {
        Duration::from_secs(if self.full { 300 } else { 30 })
    }

    /// How often what is over in seconds is done.
    pub(crate) const fn rounds(&self) -> usize {
        if self.full { 3 } else { 1 }
    }

    /// Runs a scenario among the clients, outside of the nodes.
    pub(crate) fn outside<T: Send>(
        &mut self,
        scenario: impl AsyncFnOnce(&mut Self) -> anyhow::Result<T> + Send,
    ) -> anyhow::Result<T> {
        let outside = Arc::clone(self.nodes.outside());
        outside.run(async || scenario(&mut *self).await)
    }

    /// The real kubectl, as an administrator; its words.
    pub(crate) fn kubectl(&self, command: &str) -> anyhow::Result<String> {
        let words: Vec<&str> = command.split_ascii_whitespace().collect();
        self.nodes.cluster().kubectl(&words)
    }

    /// `kubectl apply -k` of a folder of the manifests, unchanged.
    pub(crate) fn apply_manifests(&self, folder: &str) -> anyhow::Result<String> {
        let path = repository().join(folder);
        let path = path.to_str().context("the path is not UTF-8")?;
        self.nodes
            .cluster()
            .kubectl(&["apply", "--kustomize", path])
    }

    /// `kubectl delete -k` of the same.
    pub(crate) fn delete_manifests(&self, folder: &str) -> anyhow::Result<String> {
        let path = repository().join(folder);
        let path = path.to_str().context("the path is not UTF-8")?;
        let cluster = self.nodes.cluster();
        cluster.kubectl(&["delete", "--ignore-not-found", "--kustomize", path])
    }

    /// Restarts a workload, such as `daemonset/sluice-data-plane`, and waits until all of it is new and the old is gone.
    pub(crate) async fn restart(&self, namespace: &str, workload: &str) -> anyhow::Result<()> {
        self.kubectl(&format!(
            "rollout restart {workload} --namespace={namespace}"
        ))?;
        self.wait_until_rolled_out(namespace, workload).await
    }

    /// Waits until all of a workload is as its object says, and no pod of before is left.
    pub(crate) async fn wait_until_rolled_out(
        &self,
        namespace: &str,
        workload: &str,
    ) -> anyhow::Result<()> {
        wait::until(&format!("{workload} to be rolled out"), LIMIT, async || {
            let status = self.kubectl(&format!(
                "rollout status {workload} --namespace={namespace} --watch=false"
            ))?;
            ensure!(status.contains("successfully rolled out"), "{status}");
            let pods = self.pods(namespace)?;
            let leaving: Vec<_> = pods.iter().filter(|pod| pod.leaving).collect();
            ensure!(leaving.is_empty(), "pods are leaving: {leaving:?}");
            anyhow::Ok(())
        })
        .await
    }

    /// The pods of a namespace.
    pub(crate) fn pods(&self, namespace: &str) -> anyhow::Result<Vec<Pod>> {
        let template = "{range .items[*]}{.metadata.name} {.spec.nodeName} \
                        x{.metadata.deletionTimestamp}{\"\\n\"}{end}";
        let listed = self.nodes.cluster().kubectl(&[
            "get",
            "pods",
            &format!("--namespace={namespace}"),
            &format!("--output=jsonpath={template}"),
        ])?;
        let pod = |line: &str| {
            let mut words = line.split(' ');
            Some(Pod {
                name: words.next()?.to_owned(),
                node: words.next()?.to_owned(),
                leaving: words.next()? != "x",
            })
        };
        Ok(listed.lines().filter_map(pod).collect())
    }

    /// How often containers of a namespace have been started again.
    pub(crate) fn restarts(&self, namespace: &str) -> anyhow::Result<usize> {
        let listed = self.nodes.cluster().kubectl(&[
            "get",
            "pods",
            &format!("--namespace={namespace}"),
            "--output=jsonpath={.items[*].status.containerStatuses[*].restartCount}",
        ])?;
        let counts = listed.split_ascii_whitespace().map(str::parse::<usize>);
        Ok(counts.sum::<Result<_, _>>()?)
    }

    /// On how many nodes the newest snapshot is live, as the replica of the control plane says that leads.
    pub(crate) fn live_nodes(&self) -> anyhow::Result<usize> {
        for pod in self.pods("sluice-system")? {
            let metrics = self.kubectl(&format!(
                "get --raw /api/v1/namespaces/sluice-system/pods/{}:8445/proxy/metrics",
                pod.name
            ));
            let Ok(metrics) = metrics else { continue };
            if sample(&metrics, "sluice_leader") == Some(1.0) {
                let live = sample(&metrics, "sluice_nodes{state=\"live\"}");
                return Ok(live.context("there is no metric of live nodes")? as usize);
            }
        }
        anyhow::bail!("no replica of the control plane says that it leads")
    }

    /// Waits until the newest snapshot is live on all nodes.
    pub(crate) async fn wait_until_live(&self) -> anyhow::Result<()> {
        wait::until("all nodes to be live", LIMIT, async || {
            let live = self.live_nodes()?;
            ensure!(live == Nodes::COUNT, "{live} nodes are live");
            anyhow::Ok(())
        })
        .await
    }

    /// Waits until every node answers 200 for every host.
    pub(crate) async fn wait_until_served(&self, nodes: &[usize]) -> anyhow::Result<()> {
        for &node in nodes {
            for host in ["api.myhoneydue.com", "admin.myhoneydue.com"] {
                wait_for_200(node, host).await?;
            }
            let (host, _) = SECURE_HOST;
            wait_for(node, host, https(node), Some(&self.http2)).await?;
        }
        Ok(())
    }

    /// Scales the control plane, and waits until it is so. To nothing, it dies without a word: it is stopped before it is
    /// told to end, so that it cannot hand anything over.
    pub(crate) async fn scale_control_plane(&mut self, replicas: usize) -> anyhow::Result<()> {
        if replicas == 0 {
            for node in ALL_NODES {
                // Where no replica runs, nobody is there to stop.
                let stopped = ["pkill", "-STOP", "-x", "sluice-control-"];
                drop(self.nodes.node(node).run(&stopped));
            }
        }
        self.kubectl(&format!(
            "scale deployment/sluice-control-plane --namespace=sluice-system --replicas={replicas}"
        ))?;
        if replicas > 0 {
            return self
                .wait_until_rolled_out("sluice-system", "deployment/sluice-control-plane")
                .await;
        }
        self.kubectl(
            "delete pods --all --namespace=sluice-system --force --grace-period=0 --wait=false",
        )?;
        wait::until("the control plane to be gone", LIMIT, async || {
            let pods = self.pods("sluice-system")?;
            ensure!(pods.is_empty(), "{pods:?}");
            anyhow::Ok(())
        })
        .await
    }

    /// Cordons node-3, and waits until no backend is on it: what a lost pod was answering is lost, whoever is in front.
    pub(crate) async fn move_backends_off_node_3(&self) -> anyhow::Result<()> {
        self.kubectl("cordon node-3")?;
        // The scheduler may see the pod to place before it sees that the node is cordoned.
        loop {
            let mut there = self.pods("honeydue")?;
            there.retain(|pod| pod.node == "node-3");
            if there.is_empty() {
                break;
            }
            for pod in there {
                self.kubectl(&format!("delete pod {} --namespace=honeydue", pod.name))?;
            }
            for deployment in ["deployment/api", "deployment/admin"] {
                self.wait_until_rolled_out("honeydue", deployment).await?;
            }
        }
        self.wait_until_served(&ALL_NODES).await
    }

    /// Waits until the cluster is as the next scenario wants it: all nodes ready, everything rolled out and served.
    pub(crate) fn calm_down(&mut self) -> anyhow::Result<()> {
        self.nodes.wait_until_ready()?;
        self.outside(async |stage| {
            stage
                .wait_until_rolled_out("sluice-system", "deployment/sluice-control-plane")
                .await?;
            stage
                .wait_until_rolled_out("sluice-data-plane", "daemonset/sluice-data-plane")
                .await?;
            stage.wait_until_served(&ALL_NODES).await
        })
    }

    /// Says how to look at the cluster, and waits for Ctrl-C.
    pub(crate) fn wait_for_interrupt(&mut self) -> anyhow::Result<()> {
        let cluster = self.nodes.cluster();
        println!(
            "The cluster is up until Ctrl-C:\n  nsenter --net={} {} --kubeconfig {} get pods -A",
            cluster.namespace().path().display(),
            cluster.tools().program("kubectl")?.display(),
            cluster.kubeconfig().display()
        );
        self.outside(async |_| {
            signal(SignalKind::interrupt())?.recv().await;
            Ok(())
        })
    }

    /// What the nodes and Sluice's pods said last, for a failure's message.
    pub(crate) fn last_lines(&self) -> String {
        let mut text = String::new();
        for namespace in ["sluice-system", "sluice-data-plane"] {
            let pods = self.kubectl(&format!("get pods --namespace={namespace} --output=wide"));
            text += &pods.unwrap_or_else(|error| format!("{error:#}\n"));
            for pod in self.pods(namespace).unwrap_or_default() {
                let logs = self.kubectl(&format!(
                    "logs {} --namespace={namespace} --tail=15",
                    pod.name
                ));
                text += &format!("{} last said:\n{}\n", pod.name, logs.unwrap_or_default());
            }
        }
        text
    }
}

/// A pod, as the API server knows it.
#[derive(Clone, Debug)]
pub(crate) struct Pod {
    pub(crate) name: String,
    pub(crate) node: String,
    pub(crate) leaving: bool,
}

/// Waits until a node answers 200 for a host's root.
pub(crate) async fn wait_for_200(node: usize, host: &str) -> anyhow::Result<()> {
    wait_for(node, host, http(node), None).await
}

async fn wait_for(
    node: usize,
    host: &str,
    address: SocketAddr,
    tls: Option<&Arc<ClientConfig>>,
) -> anyhow::Result<()> {
    let what = format!("{host} through node-{}", node + 1);
    let destination = root(address, tls, host);
    wait::until(&what, LIMIT, async || {
        let answer = fetch(&destination).await?;
        ensure!(answer.status == 200, "{}", answer.status);
        anyhow::Ok(())
    })
    .await
}

/// One look at a node: refused (`None`), or a status. While it refuses HTTP, it refuses HTTPS, too, or just serves.
pub(crate) async fn refused_or_served(node: usize) -> anyhow::Result<Option<u16>> {
    let secure = TcpStream::connect(https(node)).await;
    let destination = root(http(node), None, "api.myhoneydue.com");
    match fetch(&destination).await {
        Ok(answer) => Ok(Some(answer.status.as_u16())),
        Err(ClientError::Connect(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
            ensure!(secure.is_err(), "it refuses HTTP, and HTTPS it took before");
            Ok(None)
        }
        Err(error) => bail!("neither refused nor answered: {}", error.chain()),
    }
}

pub(crate) const ALL_NODES: [usize; Nodes::COUNT] = [0, 1, 2];
