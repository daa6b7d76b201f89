//! The Ingresses of a large cluster, and their backend.

use std::time::Duration;

use anyhow::Context as _;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::Ingress;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::json;
use tokio::time::{MissedTickBehavior, interval};

use super::PODS_ON;
use crate::system::{EndpointState, Pod, Pods, System, endpoint_slice, service};

/// Ingresses of the class `traefik`, which both adopt.
pub(super) struct Crowd {
    ingresses: Api<Ingress>,
    slices: Api<EndpointSlice>,
    size: usize,
    _pods: Vec<Pod>,
}

impl Crowd {
    pub(super) async fn start(system: &System) -> anyhow::Result<Self> {
        let pods = Pods::of(system)
            .start_all(system, "crowd", 1, (PODS_ON, 1))
            .await?;
        let ready = [(pods[0].ip, EndpointState::Ready)];
        system.cluster().apply(&format!(
            "{CLASS}---\n{}---\n{}---\n{}---\n{}",
            service(NAMESPACE, SERVICE),
            endpoint_slice(NAMESPACE, SERVICE, &ready),
            service(NAMESPACE, NOBODYS),
            endpoint_slice(NAMESPACE, NOBODYS, &ready),
        ))?;
        let client = system.cluster().client().await?;
        Ok(Self {
            ingresses: Api::namespaced(client.clone(), NAMESPACE),
            slices: Api::namespaced(client, NAMESPACE),
            size: 0,
            _pods: pods,
        })
    }

    /// Creates Ingresses until there are so many.
    pub(super) async fn grow_to(&mut self, size: usize) -> anyhow::Result<()> {
        let crowd = &*self;
        stream::iter(crowd.size..size)
            .map(|number| async move {
                let name = format!("crowd-{number}");
                let created = crowd.create(&name, &Self::host(number)).await;
                created.with_context(|| format!("cannot create the Ingress {name}"))
            })
            .buffer_unordered(AT_ONCE)
            .try_collect::<()>()
            .await?;
        self.size = size;
        Ok(())
    }

    /// The host of one of them.
    pub(super) fn host(number: usize) -> String {
        format!("host-{number}.crowd.example")
    }

    /// Creates an Ingress; its host is served by the crowd's backend.
    pub(super) async fn create(&self, name: &str, host: &str) -> anyhow::Result<()> {
        let ingress = serde_json::from_value(json!({
            "metadata": { "name": name },
            "spec": { "ingressClassName": "traefik", "rules": [{ "host": host, "http": { "paths": [{
                "path": "/", "pathType": "Prefix",
                "backend": { "service": { "name": SERVICE, "port": { "number": 80 } } },
            }] } }] },
        }))?;
        self.ingresses
            .create(&PostParams::default(), &ingress)
            .await?;
        Ok(())
    }

    pub(super) async fn delete(&self, name: &str) -> anyhow::Result<()> {
        self.ingresses
            .delete(name, &DeleteParams::default())
            .await?;
        Ok(())
    }

    /// Writes the endpoints of a Service that no Ingress refers to, so often and for so long; returns how often.
    pub(super) async fn write_irrelevant(
        &self,
        per_second: u32,
        time: Duration,
    ) -> anyhow::Result<u32> {
        let mut times = interval(Duration::from_secs(1) / per_second);
        times.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let writes = per_second * u32::try_from(time.as_secs())?;
        for number in 0..writes {
            times.tick().await;
            let port = 9000 + number % 100;
            let patch = json!({ "ports": [{ "name": "http", "port": port, "protocol": "TCP" }] });
            self.slices
                .patch(
                    &format!("{NOBODYS}-1"),
                    &PatchParams::default(),
                    &Patch::Merge(patch),
                )
                .await?;
        }
        Ok(writes)
    }
}

const NAMESPACE: &str = "crowd";
const SERVICE: &str = "crowd";
const NOBODYS: &str = "nobodys";
const AT_ONCE: usize = 16;
const CLASS: &str = "
apiVersion: v1
kind: Namespace
metadata: { name: crowd }
---
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: { name: traefik }
spec: { controller: traefik.io/ingress-controller }
";
