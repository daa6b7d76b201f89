//! Metrics that are looked up when they are asked for: generation, nodes, problems, refusals, certificates.
//!
//! It counts nothing and holds nothing: what it shows is always what holds now.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeGaugeValue};
use prometheus_client::metrics::MetricType;
use sluice_proto::{Certificate, Kind, Resource, ResourceKey};
use tokio::sync::watch;

use crate::identity::Identity;
use crate::publication::{Publication, Publications};
use crate::stream::Nodes;

/// Where the metrics are looked up.
#[derive(Debug)]
pub struct Live {
    /// What is published.
    pub publications: Publications,
    /// Who has it.
    pub nodes: watch::Receiver<Nodes>,
    /// Who we are.
    pub identity: Arc<Identity>,
}

impl Collector for Live {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let publication = self.publications.borrow().clone();
        let generation = publication.as_ref().map_or(0, |latest| latest.generation);
        self.nodes(&mut encoder, generation)?;
        self.identity(&mut encoder)?;
        publication.map_or(Ok(()), |publication| published(&mut encoder, &publication))
    }
}

impl Live {
    fn nodes(&self, encoder: &mut DescriptorEncoder<'_>, generation: u64) -> fmt::Result {
        let (liveness, refused) = {
            let nodes = self.nodes.borrow();
            let refused = nodes.iter().map(|(_, status)| status.refused.len());
            (nodes.liveness(generation), refused.sum::<usize>())
        };
        gauge(
            encoder,
            "generation",
            "The number of the current snapshot; 0 before the first.",
            generation,
        )?;
        gauge(
            encoder,
            "refused_resources",
            "Resources of the current snapshot that nodes refuse, summed over the nodes.",
            refused,
        )?;
        family(
            encoder,
            "nodes",
            "Nodes that are known, have the current snapshot live, and refuse a part of it.",
            "state",
            [
                ("known", liveness.total),
                ("live", liveness.live),
                ("refusing", liveness.refusing),
            ],
        )
    }

    fn identity(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let lifetimes = self.identity.lifetimes();
        family(
            encoder,
            "identity_certificate_not_before_timestamp_seconds",
            "When the certificates of both planes and their authorities begin.",
            "certificate",
            lifetimes
                .iter()
                .map(|lifetime| (lifetime.name, lifetime.not_before.as_second())),
        )?;
        family(
            encoder,
            "identity_certificate_not_after_timestamp_seconds",
            "When the certificates of both planes and their authorities end.",
            "certificate",
            lifetimes
                .iter()
                .map(|lifetime| (lifetime.name, lifetime.not_after.as_second())),
        )
    }
}

fn published(encoder: &mut DescriptorEncoder<'_>, publication: &Publication) -> fmt::Result {
    let mut problems: BTreeMap<&str, usize> = BTreeMap::new();
    for problem in publication.translation.problems.iter() {
        *problems.entry(&problem.code).or_default() += 1;
    }
    family(
        encoder,
        "problems",
        "What is wrong with the objects, by code.",
        "code",
        problems,
    )?;
    let mut resources: BTreeMap<&str, usize> = BTreeMap::new();
    for (key, _) in publication.snapshot().iter() {
        *resources.entry(key.kind.as_str()).or_default() += 1;
    }
    family(
        encoder,
        "resources",
        "Resources of the current snapshot.",
        "kind",
        resources,
    )?;
    let first = ResourceKey::new(Kind::Certificate, "");
    let certificates = publication.translation.resources.range(first..);
    let certificates = certificates.map_while(|(_, resource)| match &**resource {
        Resource::Certificate(Certificate { name, content }) => Some((&**name.as_arc(), content)),
        _ => None,
    });
    family(
        encoder,
        "certificate_not_after_timestamp_seconds",
        "When the certificates of the current snapshot end.",
        "certificate",
        certificates.filter_map(|(name, content)| {
            let material = content.as_ref().ok()?;
            Some((name, material.not_after_unix_s))
        }),
    )
}

fn gauge(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    value: impl EncodeGaugeValue,
) -> fmt::Result {
    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    metric.encode_gauge(&value)
}

fn family<'a>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    label: &str,
    values: impl IntoIterator<Item = (&'a str, impl EncodeGaugeValue)>,
) -> fmt::Result {
    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for (labelled, value) in values {
        metric
            .encode_family(&[(label, labelled)])?
            .encode_gauge(&value)?;
    }
    Ok(())
}
