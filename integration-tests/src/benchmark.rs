//! How soon a change is live, and what it costs: against a real API server with thousands of Ingresses, with Traefik beside
//! Sluice in the same run. It prints a table and judges nothing: times depend on the machine, ratios hardly.
//!
//! There are no kubelets here: pods are echo servers on addresses of their own, and each data plane is a "node".

mod asking;
mod costs;
mod crowd;
mod propagation;
mod removal;
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
use self::traefik::RunningTraefik;
use self::usage::Usage;
use crate::namespace::Namespace;
use crate::programs::Programs;
use crate::system::System;
use crate::traefik::Traefik;

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
    /// Runs it and prints the tables. Takes many minutes.
    pub fn run(&self) -> anyhow::Result<()> {
        let traefik = self.traefik.then(Traefik::find).transpose()?;
        let mut system = System::start_with(&Programs::of_images()?)?;
        system.run(async |system| {
            // Traefik has none, either.
            system.plan().write_settings(WITHOUT_ACCESS_LOG)?;
            system.cluster().namespace().add_address(TRAEFIK_IP)?;
            let mut crowd = Crowd::start(system).await?;
            let (mut rows, mut irrelevant) = (Vec::new(), Vec::new());
            for &size in &self.sizes {
                say(&format!("creating Ingresses up to {size}"));
                crowd.grow_to(size).await?;
                system.wait_until_live().await?;
                say(&format!("measuring Sluice with {size}"));
                rows.push(self.sluice(system, &crowd, size).await?);
                irrelevant.push(irrelevant_writes(system, &crowd, size).await?);
                if let Some(traefik) = &traefik {
                    say(&format!("measuring Traefik with {size}"));
                    rows.push(self.beside(system, &crowd, size, traefik).await?);
                }
                table::print_changes(&rows);
                table::print_costs(&rows);
            }
            for line in irrelevant {
                println!("{line}");
            }
            Ok(())
        })
    }

    async fn sluice(&self, system: &mut System, crowd: &Crowd, size: usize) -> anyhow::Result<Row> {
        let nodes: Vec<SocketAddr> = (0..System::NODES).map(System::http).collect();
        let control_plane = system.control_plane().context("no control plane")?.id();
        let proxy = system.data_plane(0).id();
        let sent_before = system.metric(SENT_BYTES).await?;
        let before = Usage::of(control_plane)?;
        let samples = self.propagation(crowd, &nodes).await?;
        let used = Usage::of(control_plane)?;
        let sent = system.metric(SENT_BYTES).await? - sent_before;
        let changes = self.changes()?;
        let proxy_bytes = Usage::of(proxy)?.resident_bytes;
        let destinations = crowd.destinations(System::http(0), System::https(0))?;
        Ok(Row {
            what: "Sluice, 3 nodes",
            size,
            samples,
            removals: self.removals(crowd, &nodes).await?,
            cpu_each: used.cpu.saturating_sub(before.cpu) / changes,
            bytes_each: Some(sent / f64::from(changes) / nodes.len() as f64),
            control_plane_bytes: Some(used.resident_bytes),
            proxy_bytes,
            costs: costs::measure(proxy, &destinations).await?,
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
        let running = RunningTraefik::start(traefik, system.cluster())?;
        let measured = self.measure_traefik(crowd, size, &running).await;
        drop(running);
        system.pause(false)?;
        system.wait_until_live().await?;
        measured
    }

    async fn measure_traefik(
        &self,
        crowd: &Crowd,
        size: usize,
        running: &RunningTraefik,
    ) -> anyhow::Result<Row> {
        running.wait_until_served().await?;
        let nodes = [RunningTraefik::ADDRESS];
        let before = Usage::of(running.id())?;
        let samples = self.propagation(crowd, &nodes).await?;
        let used = Usage::of(running.id())?;
        let destinations =
            crowd.destinations(RunningTraefik::ADDRESS, RunningTraefik::TLS_ADDRESS)?;
        Ok(Row {
            what: "Traefik, 1 node",
            size,
            samples,
            removals: self.removals(crowd, &nodes).await?,
            cpu_each: used.cpu.saturating_sub(before.cpu) / self.changes()?,
            bytes_each: None,
            control_plane_bytes: None,
            proxy_bytes: used.resident_bytes,
            costs: costs::measure(running.id(), &destinations).await?,
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

    async fn removals(&self, crowd: &Crowd, nodes: &[SocketAddr]) -> anyhow::Result<Vec<Duration>> {
        let mut removals = Vec::new();
        for _ in 0..self.samples {
            removals.push(removal::one(crowd, nodes).await?);
        }
        Ok(removals)
    }

    /// For each sample, an Ingress is created and deleted.
    fn changes(&self) -> anyhow::Result<u32> {
        Ok(2 * u32::try_from(self.samples)?)
    }
}

/// Returns what the control plane makes of changes that concern nobody.
async fn irrelevant_writes(
    system: &mut System,
    crowd: &Crowd,
    size: usize,
) -> anyhow::Result<String> {
    say("writing what no Ingress refers to");
    let control_plane = system.control_plane().context("no control plane")?.id();
    let sent_before = system.metric(SENT_BYTES).await?;
    let (before, started) = (Usage::of(control_plane)?, Instant::now());
    let written = crowd.write_irrelevant(WRITES_PER_SECOND, WRITING).await?;
    let used = Usage::of(control_plane)?.cpu.saturating_sub(before.cpu);
    let took = started.elapsed();
    let sent = system.metric(SENT_BYTES).await? - sent_before;
    Ok(format!(
        "With {size} Ingresses, {written} writes that concern none of them in {took:.1?} take {:.1} % of a core of the control \
         plane; {sent} bytes are sent to nodes.",
        100.0 * used.as_secs_f64() / took.as_secs_f64()
    ))
}

fn say(what: &str) {
    eprintln!("benchmark: {what}");
}

/// Where the pods of the crowd are.
const PODS_ON: u8 = 1;
const TRAEFIK_IP: std::net::Ipv4Addr = Namespace::pod(2, 200);
const WRITES_PER_SECOND: u32 = 200;
const WRITING: Duration = Duration::from_secs(20);
const SENT_BYTES: &str = "sluice_stream_sent_bytes_total";
const WITHOUT_ACCESS_LOG: &str = "
ingress: { controllers: [ingress.sluice.dev/controller, traefik.io/ingress-controller] }
timeouts: { drain: 2s }
accessLog: { enabled: false }
";
