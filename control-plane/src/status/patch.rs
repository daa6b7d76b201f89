//! Writes the status of one Ingress.
//!
//! It decides nothing. The API server takes a write only for the version of the object that it was decided by, so that an
//! Ingress that has just gone to another class is left alone.

use std::collections::BTreeSet;
use std::time::Duration;

use k8s_openapi::api::networking::v1::Ingress;
use kube::api::{Api, Patch, PatchParams};
use serde_json::{Value, json};
use sluice_translate::StatusAddress;
use tokio::time::timeout;

use crate::metrics::StatusOutcome;
use crate::status::writes::Write;

/// Writes through this client.
pub(super) struct Patcher {
    client: kube::Client,
}

impl Patcher {
    pub(super) const fn new(client: kube::Client) -> Self {
        Self { client }
    }

    /// Writes this and returns what became of it.
    pub(super) async fn write(&self, write: &Write) -> StatusOutcome {
        let Write {
            name: (namespace, name),
            version,
            addresses,
        } = write;
        let written = patch(&self.client, namespace, name, version, addresses);
        let error = match timeout(PATIENCE, written).await {
            Ok(Ok(())) if addresses.is_empty() => return StatusOutcome::Cleared,
            Ok(Ok(())) => return StatusOutcome::Written,
            Ok(Err(error)) => error,
            Err(elapsed) => kube::Error::Service(elapsed.into()),
        };
        let outcome = match &error {
            kube::Error::Api(status) if status.code == 409 => StatusOutcome::Conflict,
            kube::Error::Api(status) if status.is_not_found() => StatusOutcome::Gone,
            kube::Error::Api(status) if status.is_forbidden() => StatusOutcome::Forbidden,
            _ => StatusOutcome::Failed,
        };
        match outcome {
            StatusOutcome::Forbidden => {
                tracing::warn!(%error, "may not write the status of Ingresses; apply the ClusterRole \
                named sluice-control-plane of the manifests (ingresses/status, verb patch), or set status.publish to false")
            }
            StatusOutcome::Failed => {
                tracing::warn!(namespace, name, %error, "cannot write the status of an Ingress; it is tried again");
            }
            _ => {
                tracing::debug!(namespace, name, %error, "an Ingress changed before its status was written")
            }
        }
        outcome
    }
}

/// Writes these addresses, and no others, to the status of the Ingress that has this version.
pub(super) async fn patch(
    client: &kube::Client,
    namespace: &str,
    name: &str,
    version: &str,
    addresses: &BTreeSet<StatusAddress>,
) -> kube::Result<()> {
    let api: Api<Ingress> = Api::namespaced(client.clone(), namespace);
    let body = Patch::Merge(body(version, addresses));
    let parameters = PatchParams {
        field_manager: Some(MANAGER.to_owned()),
        ..PatchParams::default()
    };
    api.patch_status(name, &parameters, &body).await.map(drop)
}

fn body(version: &str, addresses: &BTreeSet<StatusAddress>) -> Value {
    let entry = |address: &StatusAddress| match address {
        StatusAddress::Ip(address) => json!({ "ip": address }),
        StatusAddress::Hostname(name) => json!({ "hostname": name }),
    };
    // In a merge patch a list stands for the whole list, and null for none.
    let entries = match addresses.is_empty() {
        true => Value::Null,
        false => addresses.iter().map(entry).collect(),
    };
    json!({
        "metadata": { "resourceVersion": version },
        "status": { "loadBalancer": { "ingress": entries } },
    })
}

const MANAGER: &str = "sluice-control-plane";
const PATIENCE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_has_the_version_and_the_whole_list() {
        let addresses = BTreeSet::from([
            StatusAddress::Hostname("edge.example.com".to_owned()),
            StatusAddress::Ip([192, 0, 2, 1].into()),
        ]);
        let expected = json!({
            "metadata": { "resourceVersion": "7" },
            "status": { "loadBalancer": { "ingress": [{ "ip": "192.0.2.1" }, { "hostname": "edge.example.com" }] } },
        });
        assert_eq!(body("7", &addresses), expected);
        let cleared = body("7", &BTreeSet::new());
        assert_eq!(cleared["status"]["loadBalancer"]["ingress"], Value::Null);
    }
}
