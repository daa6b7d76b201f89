//! How soon a change is live, and what it costs: against a real API server with thousands of Ingresses, with Traefik beside
//! Sluice in the same run. It prints a table and judges nothing: times depend on the machine, ratios hardly.
//!
//! There are no kubelets here: pods are echo servers on addresses of their own, and each data plane is a "node".

mod crowd;
mod propagation;
mod table;
mod traefik;
mod usage;

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use tokio::time::Instant;

use self::crowd::Crowd;
use self::propagation::Sample;
use self::table::Row;
use self::traefik::Traefik;
use self::usage::Usage;
use crate::namespace::Namespace;
use crate::system::System;

/// What is measured.
#[derive(Clone, Debug)]
pub struct Benchmark {
    /// With how many Ingresses, one after the other; ascending.
    pub sizes: Vec<usize>,
    /// How many Ingresses are created, and watched until they are live, at each size.
    pub samples: usize,
    /// Whether Traefik is measured, too.
    pub traefik: bool,
}

impl Benchmark {
    /// Runs it and prints the table as it grows. Takes many minutes.
    pub fn run(&self) -> anyhow::Result<()> {
        let traefik = self.traefik.then(Traefik::find).transpose()?;
        let mut system = System::start()?;
        table::print_header();
        system.run(async |system| {
            let mut crowd = Crowd::start(system).await?;
            for &size in &self.sizes {
                say(&format!("creating Ingresses up to {size}"));
                crowd.grow_to(size).await?;
                system.wait_until_live().await?;
                self.sluice(system, &crowd, size).await?.print();
                if let Some(traefik) = &traefik {
                    self.beside(system, &crowd, size, traefik).await?.print();
                }
            }
            irrelevant_writes(system, &crowd).await
        })
    }

    async fn sluice(&self, system: &mut System, crowd: &Crowd, size: usize) -> anyhow::Result<Row> {
        let nodes: Vec<SocketAddr> = (0..System::NODES).map(System::http).collect();
        let control_plane = system.control_plane().context("no control plane")?.id();
        let before = Usage::of(control_plane)?;
        let samples = self.propagation(crowd, &nodes).await?;
        let used = Usage::of(control_plane)?;
        Ok(Row {
            what: "Sluice, 3 nodes".to_owned(),
            size,
            samples,
            cpu_each: Some(used.cpu.saturating_sub(before.cpu) / u32::try_from(self.samples)?),
            control_plane_bytes: Some(used.resident_bytes),
            proxy_bytes: Usage::of(system.data_plane(0).id())?.resident_bytes,
        })
    }

    /// Sluice rests meanwhile, so that each has the machine to itself.
    async fn beside(
        &self,
        system: &System,
        crowd: &Crowd,
        size: usize,
        traefik: &Traefik,
    ) -> anyhow::Result<Row> {
        system.pause(true)?;
        let running = traefik.start(system.cluster())?;
        running.wait_until_served().await?;
        let before = Usage::of(running.id())?;
        let samples = self.propagation(crowd, &[Traefik::ADDRESS]).await;
        let used = Usage::of(running.id())?;
        drop(running);
        system.pause(false)?;
        system.wait_until_live().await?;
        Ok(Row {
            what: "Traefik, 1 node".to_owned(),
            size,
            samples: samples?,
            cpu_each: Some(used.cpu.saturating_sub(before.cpu) / u32::try_from(self.samples)?),
            control_plane_bytes: None,
            proxy_bytes: used.resident_bytes,
        })
    }

    async fn propagation(
        &self,
        crowd: &Crowd,
        nodes: &[SocketAddr],
    ) -> anyhow::Result<Vec<Sample>> {
        let mut samples = Vec::new();
        for number in 0..self.samples {
            samples.push(propagation::one(crowd, nodes, number).await?);
        }
        Ok(samples)
    }
}

/// What the control plane makes of changes that concern nobody.
async fn irrelevant_writes(system: &mut System, crowd: &Crowd) -> anyhow::Result<()> {
    say("writing what no Ingress refers to");
    let control_plane = system.control_plane().context("no control plane")?.id();
    let generation = system.nodes().await?.generation;
    let (before, started) = (Usage::of(control_plane)?, Instant::now());
    let written = crowd.write_irrelevant(WRITES_PER_SECOND, WRITING).await?;
    let used = Usage::of(control_plane)?.cpu.saturating_sub(before.cpu);
    let took = started.elapsed();
    let sent = system.nodes().await?.generation - generation;
    println!(
        "{written} writes that concern no Ingress in {took:.1?}: {:.1} % of a core of the control plane, {sent} snapshots sent",
        100.0 * used.as_secs_f64() / took.as_secs_f64()
    );
    Ok(())
}

fn say(what: &str) {
    eprintln!("benchmark: {what}");
}

/// Where the pods of the crowd are.
const PODS_ON: u8 = 1;
const TRAEFIK_IP: std::net::Ipv4Addr = Namespace::pod(2, 200);
const WRITES_PER_SECOND: u32 = 200;
const WRITING: Duration = Duration::from_secs(20);
