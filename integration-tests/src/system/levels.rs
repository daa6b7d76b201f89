//! What scenarios wait for and require of a running system. Starting and killing it is in [`super`].

use anyhow::{Context as _, ensure};
use sluice_proto::wire;

use super::{LIMIT, METRICS, System};
use crate::client::{Answer, Destination, fetch};
use crate::metrics::sample;
use crate::wait;

impl System {
    /// Waits until all nodes have the current snapshot and have refused nothing of it, or some of it.
    pub async fn wait_until_live(&self) -> anyhow::Result<()> {
        let introspection = self.introspection()?;
        let nodes = u32::try_from(Self::NODES)?;
        wait::until("all nodes to be live", LIMIT, async || {
            introspection.live_on(nodes).await
        })
        .await?;
        Ok(())
    }

    /// Waits until every node answers as `judge` wants it, and returns the last node's answer.
    pub async fn wait_for_answers(
        &self,
        host: &str,
        path: &str,
        judge: impl Fn(&Answer) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        for node in 0..Self::NODES {
            let destination = Self::destination(node, host, path);
            let what = format!("http://{host}{path} through node-{}", node + 1);
            wait::until(&what, LIMIT, async || judge(&fetch(&destination).await?)).await?;
        }
        Ok(())
    }

    /// Waits until every node answers 200 from a backend whose name starts so.
    pub async fn wait_until_served(
        &self,
        host: &str,
        path: &str,
        backend: &str,
    ) -> anyhow::Result<()> {
        self.wait_for_answers(host, path, |answer| require_backend(answer, backend))
            .await
    }

    /// Waits until every node answers this status by itself.
    pub async fn wait_until_refused(
        &self,
        host: &str,
        path: &str,
        status: u16,
    ) -> anyhow::Result<()> {
        self.wait_for_answers(host, path, |answer| require_refused(answer, status))
            .await
    }

    /// Waits until an object has an Event with this reason.
    pub async fn wait_for_event(
        &self,
        namespace: &str,
        object: &str,
        reason: &str,
    ) -> anyhow::Result<String> {
        let selector = format!("--field-selector=involvedObject.name={object},reason={reason}");
        wait::until(
            &format!("an Event {reason} of {namespace}/{object}"),
            LIMIT,
            async || {
                let flag = format!("--namespace={namespace}");
                let events = self.cluster.kubectl(&[
                    "get",
                    "events",
                    &flag,
                    &selector,
                    "--output=wide",
                    "--no-headers",
                ])?;
                ensure!(!events.trim().is_empty(), "kubectl shows none");
                Ok::<_, anyhow::Error>(events)
            },
        )
        .await
    }

    /// What the control plane counts under this name.
    pub async fn metric(&self, name: &str) -> anyhow::Result<f64> {
        let metrics = fetch(&Destination {
            address: METRICS,
            tls: None,
            host: METRICS.to_string(),
            path: "/metrics".to_owned(),
        })
        .await?;
        let metrics = String::from_utf8_lossy(&metrics.body);
        sample(&metrics, name).with_context(|| format!("the control plane does not count {name}"))
    }

    /// One look at the nodes.
    pub async fn nodes(&self) -> anyhow::Result<wire::ListNodesResponse> {
        self.introspection()?.nodes().await
    }
}

/// Whether a backend whose name starts so answered with 200.
pub fn require_backend(answer: &Answer, backend: &str) -> anyhow::Result<()> {
    let name = answer.backend().unwrap_or("the proxy itself");
    ensure!(
        answer.status == 200 && name.starts_with(backend),
        "{} from {name}: {}",
        answer.status,
        shown(answer)
    );
    Ok(())
}

/// Whether the proxy itself answered with this status.
pub fn require_refused(answer: &Answer, status: u16) -> anyhow::Result<()> {
    let name = answer.backend().unwrap_or("the proxy itself");
    ensure!(
        answer.status.as_u16() == status && answer.backend().is_none(),
        "{} from {name}: {}",
        answer.status,
        shown(answer)
    );
    Ok(())
}

fn shown(answer: &Answer) -> &str {
    answer.header("proxy-status")
}
