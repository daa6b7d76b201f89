//! A Kubernetes API server with its etcd, both real, in a network namespace of their own. There is
//! no kubelet, no scheduler and no controller: what a test applies stays as it is, so it writes its
//! own EndpointSlices, and a deleted namespace stays "Terminating".

mod authority;
mod kubeconfig;
mod kubectl;
mod programs;

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tokio::net::TcpStream;

use self::authority::Authority;
use crate::kubernetes_tools::KubernetesTools;
use crate::namespace::Namespace;
use crate::process::{Process, Program};

/// A running etcd and kube-apiserver. Dropping it ends them and removes their namespace.
#[derive(Debug)]
pub struct Cluster {
    api_server: Process,
    api_server_program: Program,
    etcd: Process,
    tools: KubernetesTools,
    authority: Authority,
    administrator: PathBuf,
    // Last: it is dropped after what runs inside.
    namespace: Namespace,
}

impl Cluster {
    /// Where the API server answers.
    pub const API_SERVER: SocketAddr = SocketAddr::new(IpAddr::V4(Namespace::CONTROL), 6443);

    /// Starts one, and returns when it is ready. The first time on a machine this builds the
    /// programs.
    pub fn start() -> anyhow::Result<Self> {
        let tools = KubernetesTools::find()?;
        Self::start_in(Namespace::create()?, tools)
    }

    /// Starts one in this network, which has [`Namespace::CONTROL`].
    pub(crate) fn start_in(namespace: Namespace, tools: KubernetesTools) -> anyhow::Result<Self> {
        let authority = Authority::create(namespace.folder().join("certificates"))?;
        let administrator = kubeconfig::write(&authority, "administrator", Some("system:masters"))?;

        let mut etcd = programs::etcd(&tools, &namespace)?.start()?;
        namespace.run(async || {
            etcd.wait_until("etcd to listen", LIMIT, async || {
                TcpStream::connect(programs::ETCD).await.map(drop)
            })
            .await
        })?;
        let api_server_program = programs::api_server(&tools, &namespace, &authority)?;
        let api_server = api_server_program.start()?;
        let mut cluster = Self {
            api_server,
            api_server_program,
            etcd,
            tools,
            authority,
            administrator,
            namespace,
        };
        cluster.wait_until_ready()?;
        Ok(cluster)
    }

    /// The network that it runs in.
    #[must_use]
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// The programs of Kubernetes, `grpcurl` among them.
    #[must_use]
    pub fn tools(&self) -> &KubernetesTools {
        &self.tools
    }

    /// The credentials of a cluster administrator.
    #[must_use]
    pub fn kubeconfig(&self) -> &Path {
        &self.administrator
    }

    /// Makes credentials for a user, who may do what roles bound to the user or the group allow,
    /// and nothing else.
    pub fn kubeconfig_for(&self, user: &str, group: Option<&str>) -> anyhow::Result<PathBuf> {
        kubeconfig::write(&self.authority, user, group)
    }

    /// The certificate of the authority that signs for its API server and users.
    pub(crate) fn authority_certificate(&self) -> &Path {
        self.authority.certificate()
    }

    /// The key that signs the tokens of service accounts.
    pub(crate) fn service_account_key(&self) -> PathBuf {
        self.authority.file(programs::SERVICE_ACCOUNTS, "key")
    }

    /// A client with the administrator's credentials; only useful inside the namespace
    /// ([`Namespace::run`]).
    pub async fn client(&self) -> anyhow::Result<kube::Client> {
        kubeconfig::client(&self.administrator).await
    }

    /// A client with the credentials of a kubeconfig; only useful inside the namespace.
    pub async fn client_as(&self, kubeconfig: &Path) -> anyhow::Result<kube::Client> {
        kubeconfig::client(kubeconfig).await
    }

    /// Runs the real kubectl as the administrator, inside the namespace, and returns what it
    /// printed; the error carries what it complained of. Blocks its thread (see
    /// [`Namespace::run`]).
    pub fn kubectl(&self, arguments: &[&str]) -> anyhow::Result<String> {
        kubectl::run(self, &self.administrator, arguments, "")
    }

    /// As [`Cluster::kubectl`], with the credentials of another kubeconfig.
    pub fn kubectl_as(&self, kubeconfig: &Path, arguments: &[&str]) -> anyhow::Result<String> {
        kubectl::run(self, kubeconfig, arguments, "")
    }

    /// `kubectl apply` of YAML documents.
    pub fn apply(&self, yaml: &str) -> anyhow::Result<String> {
        kubectl::run(self, &self.administrator, &["apply", "--filename=-"], yaml)
    }

    /// `kubectl delete` of YAML documents. Returns when they are gone.
    pub fn delete(&self, yaml: &str) -> anyhow::Result<String> {
        kubectl::run(self, &self.administrator, &["delete", "--filename=-"], yaml)
    }

    /// Kills the API server, as a crash would; etcd keeps what it stored.
    pub fn kill_api_server(&mut self) -> anyhow::Result<()> {
        self.api_server.kill().map(drop)
    }

    /// Starts the API server again after [`Cluster::kill_api_server`], and returns when it is
    /// ready.
    pub fn restart_api_server(&mut self) -> anyhow::Result<()> {
        ensure!(
            self.api_server.ended()?.is_some(),
            "the API server still runs"
        );
        self.api_server = self.api_server_program.start()?;
        self.wait_until_ready()
    }

    /// The last lines of the API server's and etcd's logs, for a failure's message.
    #[must_use]
    pub fn last_lines(&self) -> String {
        format!(
            "kube-apiserver:\n{}\netcd:\n{}",
            self.api_server.last_lines(),
            self.etcd.last_lines()
        )
    }

    fn wait_until_ready(&mut self) -> anyhow::Result<()> {
        let (api_server, administrator) = (&mut self.api_server, &self.administrator);
        self.namespace.run(async || {
            let client = kubeconfig::client(administrator).await?;
            api_server
                .wait_until("the API server to be ready", LIMIT, async || {
                    ready(&client).await.map_err(|error| format!("{error:#}"))
                })
                .await
        })
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // What they store goes with the namespace, so they are killed: an API server that is asked
        // to end waits a minute for its watches. An error means that they are gone.
        let _ = self.api_server.kill();
        let _ = self.etcd.kill();
    }
}

/// One look at whether the API server is ready. `/readyz` does not cover the namespace `default`,
/// which the API server makes for itself a moment later, with the Service `kubernetes` in it.
async fn ready(client: &kube::Client) -> anyhow::Result<()> {
    for path in ["/readyz", "/api/v1/namespaces/default/services/kubernetes"] {
        let request = http::Request::get(path).body(Vec::new())?;
        client
            .request_text(request)
            .await
            .with_context(|| format!("{path} does not answer"))?;
    }
    Ok(())
}

/// Generous: it takes about four seconds on an idle machine.
const LIMIT: Duration = Duration::from_secs(120);
