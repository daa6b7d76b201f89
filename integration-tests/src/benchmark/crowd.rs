//! The Ingresses of a large cluster, and their backend.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::Ingress;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use rustls::client::Resumption;
use serde_json::{Value, json};
use tokio::time::{MissedTickBehavior, interval};

use super::PODS_ON;
use crate::certificates::Authority;
use crate::client::Destination;
use crate::system::{EndpointState, Pod, Pods, System, endpoint_slice, granted_namespace, service};
use crate::traefik::Traefik;

/// Ingresses of the class `traefik`, which both adopt.
pub(super) struct Crowd {
    ingresses: Api<Ingress>,
    slices: Api<EndpointSlice>,
    size: usize,
    authority: Authority,
    pair: Vec<Pod>,
    _pod: Vec<Pod>,
}

impl Crowd {
    pub(super) async fn start(system: &System) -> anyhow::Result<Self> {
        let pods = Pods::of(system);
        let pod = pods.start_all(system, SERVICE, 1, (PODS_ON, 1)).await?;
        let pair = pods.start_all(system, PAIR, 2, (PODS_ON, 2)).await?;
        let authority = Authority::create()?;
        let mut objects = vec![
            CLASS.to_owned(),
            granted_namespace(NAMESPACE),
            authority.issue(&[SECURE])?.secret(NAMESPACE, "secure"),
        ];
        for (name, pods) in [(SERVICE, &pod), (NOBODYS, &pod), (PAIR, &pair)] {
            let ready: Vec<_> = pods
                .iter()
                .map(|pod| (pod.ip, EndpointState::Ready))
                .collect();
            objects.push(service(NAMESPACE, name));
            objects.push(endpoint_slice(NAMESPACE, name, &ready));
        }
        system.cluster().apply(&objects.join("---\n"))?;
        Traefik::install_kinds(system.cluster())?;
        system.cluster().apply(GUARDS)?;
        let client = system.cluster().client().await?;
        let crowd = Self {
            ingresses: Api::namespaced(client.clone(), NAMESPACE),
            slices: Api::namespaced(client, NAMESPACE),
            size: 0,
            authority,
            pair,
            _pod: pod,
        };
        crowd
            .create_ingress(PAIR, Self::PAIRS_HOST, PAIR, None)
            .await?;
        let secret = Some("secure");
        crowd
            .create_ingress("secure", SECURE, SERVICE, secret)
            .await?;
        Ok(crowd)
    }

    /// The host whose backend has two endpoints.
    pub(super) const PAIRS_HOST: &str = "pair.crowd.example";

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

    /// Returns a request in clear, one to the host that Middlewares guard, and one to the host that has a certificate, each
    /// connection to which shakes hands in full.
    pub(super) fn destinations(
        &self,
        plain: SocketAddr,
        tls: SocketAddr,
    ) -> anyhow::Result<[Destination; 3]> {
        let mut client = (*self.authority.trusting_client(&["http/1.1"])?).clone();
        client.resumption = Resumption::disabled();
        let destination = |address, host: &str, tls| Destination {
            address,
            tls,
            host: host.to_owned(),
            path: "/".to_owned(),
        };
        Ok([
            destination(plain, &Self::host(0), None),
            destination(plain, GUARDED, None),
            destination(tls, SECURE, Some(Arc::new(client))),
        ])
    }

    /// Creates an Ingress; its host is served by the crowd's backend.
    pub(super) async fn create(&self, name: &str, host: &str) -> anyhow::Result<()> {
        self.create_ingress(name, host, SERVICE, None).await
    }

    async fn create_ingress(
        &self,
        name: &str,
        host: &str,
        service: &str,
        secret: Option<&str>,
    ) -> anyhow::Result<()> {
        let tls = secret.map(|secret| json!([{ "hosts": [host], "secretName": secret }]));
        let ingress = serde_json::from_value(json!({
            "metadata": { "name": name },
            "spec": { "ingressClassName": "traefik", "tls": tls, "rules": [{ "host": host, "http": { "paths": [{
                "path": "/", "pathType": "Prefix",
                "backend": { "service": { "name": service, "port": { "number": 80 } } },
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

    /// Leaves the pair both of its endpoints, or the second alone.
    pub(super) async fn pair_up(&self, both: bool) -> anyhow::Result<()> {
        let endpoints = self.pair.iter().skip(usize::from(!both));
        let endpoints: Vec<_> = endpoints
            .map(|pod| json!({ "addresses": [pod.ip], "conditions": { "ready": true } }))
            .collect();
        self.patch_slice(PAIR, &json!({ "endpoints": endpoints }))
            .await
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
            self.patch_slice(NOBODYS, &patch).await?;
        }
        Ok(writes)
    }

    async fn patch_slice(&self, service: &str, patch: &Value) -> anyhow::Result<()> {
        let (name, parameters) = (format!("{service}-1"), PatchParams::default());
        self.slices
            .patch(&name, &parameters, &Patch::Merge(patch))
            .await?;
        Ok(())
    }
}

const NAMESPACE: &str = "crowd";
const SERVICE: &str = "crowd";
const NOBODYS: &str = "nobodys";
const PAIR: &str = "pair";
const SECURE: &str = "secure.crowd.example";
const GUARDED: &str = "guarded.crowd.example";
const GUARDS: &str = include_str!("guards.yaml");
const AT_ONCE: usize = 16;
const CLASS: &str = "
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: { name: traefik }
spec: { controller: traefik.io/ingress-controller }
";
