//! Asking a running control plane: the client side of `sluice.v1.Introspection`. It waits for levels; what it is told
//! is judged by whoever asks.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use sluice_proto::wire;
use sluice_proto::wire::introspection_client::IntrospectionClient;
use tonic::transport::{Channel, Endpoint};

/// A client that connects when it is first used, and again when the control plane was away.
#[derive(Clone, Debug)]
pub struct Introspection {
    client: IntrospectionClient<Channel>,
}

impl Introspection {
    /// Returns a client of the control plane that serves introspection at this address. Must be called on a runtime,
    /// and connects in that runtime's network.
    pub fn new(address: SocketAddr) -> anyhow::Result<Self> {
        let endpoint = Endpoint::from_shared(format!("http://{address}"))?;
        let channel = endpoint
            .connect_timeout(TIMEOUT)
            .timeout(TIMEOUT)
            .connect_lazy();
        Ok(Self {
            client: IntrospectionClient::new(channel),
        })
    }

    /// The nodes, and how far they are.
    pub async fn nodes(&self) -> anyhow::Result<wire::ListNodesResponse> {
        let asked = self
            .client
            .clone()
            .list_nodes(wire::ListNodesRequest {})
            .await;
        Ok(asked.context("cannot list the nodes")?.into_inner())
    }

    /// What is wrong with objects of this namespace, and on nodes.
    pub async fn problems(&self, namespace: &str) -> anyhow::Result<wire::ListProblemsResponse> {
        let request = wire::ListProblemsRequest {
            namespace: namespace.to_owned(),
        };
        Ok(self
            .client
            .clone()
            .list_problems(request)
            .await
            .context("cannot list problems")?
            .into_inner())
    }

    /// What would answer a URL.
    pub async fn explain(&self, url: &str) -> anyhow::Result<wire::ExplainResponse> {
        let request = wire::ExplainRequest {
            url: url.to_owned(),
        };
        Ok(self
            .client
            .clone()
            .explain(request)
            .await
            .context("cannot explain")?
            .into_inner())
    }

    /// The resources of this kind whose names contain this.
    pub async fn resources(
        &self,
        kind: &str,
        name_contains: &str,
    ) -> anyhow::Result<Vec<wire::SnapshotResource>> {
        let request = wire::GetSnapshotRequest {
            kind: kind.to_owned(),
            name_contains: name_contains.to_owned(),
        };
        let snapshot = self
            .client
            .clone()
            .get_snapshot(request)
            .await
            .context("cannot get the snapshot")?;
        Ok(snapshot.into_inner().resources)
    }

    /// One look at whether the current generation is live on all of `nodes` nodes; the error says how far it is.
    pub async fn live_on(&self, nodes: u32) -> anyhow::Result<wire::ListNodesResponse> {
        let listed = self.nodes().await?;
        ensure!(
            listed.generation > 0 && listed.live == nodes && listed.total == nodes,
            "{}",
            listed.summary
        );
        Ok(listed)
    }

    /// One look for a problem of an object, by its code.
    pub async fn problem(
        &self,
        namespace: &str,
        object: &str,
        code: &str,
    ) -> anyhow::Result<wire::Problem> {
        let listed = self.problems(namespace).await?.problems;
        let found = listed.iter().find(|problem| {
            problem.code == code
                && problem
                    .object
                    .as_ref()
                    .is_some_and(|named| named.name == object)
        });
        match found {
            Some(problem) => Ok(problem.clone()),
            None => bail!("no problem {code} of {object} among {listed:#?}"),
        }
    }
}

/// For one question: it is asked again.
const TIMEOUT: Duration = Duration::from_secs(5);
