//! The command `clear-status`: takes away what Sluice wrote to the status of Ingresses, before it is uninstalled.
//!
//! A leader that runs writes it again; the command says if there is one.

use std::collections::BTreeSet;

use anyhow::Context;
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::networking::v1::{Ingress, IngressClass};
use kube::api::{Api, ListParams};
use sluice_translate::{Custom, EdgeSettings, Object, Objects, SettingsKind};

use crate::args::Args;
use crate::leadership::LEASE;
use crate::status::board::addresses;
use crate::status::patch::patch;
use crate::{settings, source};

/// Clears the status of every Ingress of our classes, and prints what it does. With `--namespace`, it looks whether a
/// leader runs.
///
/// # Errors
///
/// If objects cannot be listed, or the status of some cannot be written; the others are.
pub async fn clear(args: &Args) -> anyhow::Result<()> {
    let client = source::kube::client(args.kubeconfig.as_deref()).await?;
    let settings = settings::now(args.settings.as_deref()).await?;
    if settings.status.publish
        && let Some(namespace) = &args.namespace
        && let Some(holder) = leader(&client, namespace).await?
    {
        println!(
            "{holder} leads and writes the status again: first set status.publish to false in its settings, or scale the \
             control plane to 0"
        );
    }
    let ours = ours(&client, &settings).await?;
    let mut failed = 0;
    for ingress in &ours {
        match clear_one(&client, ingress).await {
            Ok(()) => println!("cleared {}", name(ingress)),
            Err(error) => {
                println!("cannot clear {}: {error}", name(ingress));
                failed += 1;
            }
        }
    }
    println!(
        "cleared {} of {} Ingresses",
        ours.len() - failed,
        ours.len()
    );
    anyhow::ensure!(
        failed == 0,
        "the status of {failed} Ingresses is left; run it again"
    );
    Ok(())
}

/// Returns who leads, if the Lease has not run out. (The clocks of both machines are compared here, which is good enough
/// for a word of warning.)
async fn leader(client: &kube::Client, namespace: &str) -> anyhow::Result<Option<String>> {
    let leases: Api<Lease> = Api::namespaced(client.clone(), namespace);
    let lease = match leases.get_opt(LEASE).await {
        Ok(lease) => lease,
        Err(kube::Error::Api(status)) if status.is_forbidden() => None,
        Err(error) => return Err(error).context("the Lease of the control plane cannot be read"),
    };
    let Some(spec) = lease.and_then(|lease| lease.spec) else {
        return Ok(None);
    };
    let lasts = i64::from(spec.lease_duration_seconds.unwrap_or_default());
    let renewed = spec.renew_time.map_or(0, |time| time.0.as_second());
    let holds = renewed.saturating_add(lasts) >= Timestamp::now().as_second();
    let holder = spec.holder_identity.filter(|holder| !holder.is_empty());
    Ok(holder.filter(|_| holds))
}

/// Returns the Ingresses of our own classes whose status says something.
async fn ours(client: &kube::Client, settings: &EdgeSettings) -> anyhow::Result<Vec<Ingress>> {
    let everything = ListParams::default();
    let classes: Api<IngressClass> = Api::all(client.clone());
    let classes = classes.list(&everything).await;
    let ingresses: Api<Ingress> = Api::all(client.clone());
    let ingresses = ingresses.list(&everything).await;
    let mut objects = Objects::default();
    let _ = objects.follow_settings(settings);
    for class in classes.context("IngressClasses cannot be listed")?.items {
        let _ = objects.apply(Object::IngressClass(class));
    }
    for settings in settings_objects(client).await? {
        let _ = objects.apply(Object::Settings(settings));
    }
    let ingresses = ingresses.context("Ingresses cannot be listed")?.items;
    for ingress in &ingresses {
        let _ = objects.apply(Object::Ingress(ingress.clone()));
    }
    let is_ours = |ingress: &Ingress| {
        let metadata = &ingress.metadata;
        let namespace = metadata.namespace.as_deref().unwrap_or_default();
        let name = metadata.name.as_deref().unwrap_or_default();
        objects.is_status_ours(namespace, name) && !addresses(ingress).is_empty()
    };
    Ok(ingresses.into_iter().filter(is_ours).collect())
}

/// Returns the objects of kind Settings: none, if the API server does not know the kind.
async fn settings_objects(client: &kube::Client) -> anyhow::Result<Vec<Custom<SettingsKind>>> {
    let settings: Api<Custom<SettingsKind>> = Api::all(client.clone());
    match settings.list(&ListParams::default()).await {
        Ok(settings) => Ok(settings.items),
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(Vec::new()),
        Err(error) => Err(error).context("Settings cannot be listed"),
    }
}

async fn clear_one(client: &kube::Client, ingress: &Ingress) -> kube::Result<()> {
    let metadata = &ingress.metadata;
    let namespace = metadata.namespace.as_deref().unwrap_or_default();
    let name = metadata.name.as_deref().unwrap_or_default();
    let class = class(ingress);
    let mut version = metadata.resource_version.clone().unwrap_or_default();
    for _ in 0..MOST_CONFLICTS {
        match patch(client, namespace, name, &version, &BTreeSet::new()).await {
            Err(kube::Error::Api(status)) if status.is_not_found() => return Ok(()),
            Err(kube::Error::Api(status)) if status.code == 409 => {}
            cleared => return cleared,
        }
        // Somebody has changed it since. It is still ours, unless it went to another class.
        let ingresses: Api<Ingress> = Api::namespaced(client.clone(), namespace);
        match ingresses.get_opt(name).await? {
            Some(now) if self::class(&now) == class => {
                version = now.metadata.resource_version.unwrap_or_default();
            }
            _ => return Ok(()),
        }
    }
    patch(client, namespace, name, &version, &BTreeSet::new()).await
}

fn class(ingress: &Ingress) -> (Option<String>, Option<String>) {
    let annotations = ingress.metadata.annotations.as_ref();
    let annotation = annotations.and_then(|all| all.get("kubernetes.io/ingress.class"));
    let spec = ingress.spec.as_ref();
    let class = spec.and_then(|spec| spec.ingress_class_name.clone());
    (class, annotation.cloned())
}

fn name(ingress: &Ingress) -> String {
    let metadata = &ingress.metadata;
    format!(
        "{}/{}",
        metadata.namespace.as_deref().unwrap_or_default(),
        metadata.name.as_deref().unwrap_or_default()
    )
}

/// How often another write may come between reading an Ingress and clearing its status.
const MOST_CONFLICTS: usize = 5;
