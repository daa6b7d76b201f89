//! Two control planes with a Lease: nodes follow the one that leads, through its death and through that of the API server,
//! and the status of Ingresses says which nodes serve.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use sluice_integration_tests::introspection::Introspection;
use sluice_integration_tests::load::Load;
use sluice_integration_tests::process::Process;
use sluice_integration_tests::system::{Pod, System, ingress};
use sluice_integration_tests::wait;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::shop;

#[test]
fn nodes_follow_the_leader_through_its_death() {
    let mut system = System::start().unwrap();
    let report = system
        .run(async |system| {
            let (_pods, mut replicas, _service) = replicated(system).await?;
            let leader = wait_for_leader(system).await?;
            let follower = 1 - leader;
            let nodes = introspection(follower)?.nodes().await?;
            ensure!(nodes.total == 0, "the follower has nodes: {nodes:?}");
            wait_for_status(system, "api", STATUS).await?;

            system
                .cluster()
                .apply(&ingress("shop", "second", "second.example.com", "api"))?;
            let told = system.wait_for_event("shop", "second", "Live").await?;
            ensure!(told.contains("live on 3 of 3 nodes after"), "{told}");

            let load = Load::new(System::targets(HOST, "api-"))
                .per_second(100)
                .start();
            load.wait_for_more(100).await?;
            replicas[leader].kill()?;
            let died = Instant::now();
            ensure!(wait_for_leader(system).await? == follower);
            println!(
                "all nodes follow the next leader {:?} after the death",
                died.elapsed()
            );
            system
                .cluster()
                .apply(&ingress("shop", "late", "late.example.com", "api"))?;
            system
                .wait_until_served("late.example.com", "/", "api-")
                .await?;
            wait_for_status(system, "late", STATUS).await?;

            // The old one comes back, and takes nothing away; then the leader is asked to end.
            replicas[leader] = start(system, leader).await?;
            let asked = Instant::now();
            replicas[follower].stop(LIMIT)?;
            ensure!(wait_for_leader(system).await? == leader);
            let took = asked.elapsed();
            println!("all nodes follow the next leader {took:?} after SIGTERM");
            ensure!(took < Duration::from_secs(8), "it took {took:?}");
            wait_for_status(system, "api", STATUS).await?;
            load.wait_for_more(100).await?;
            let report = load.stop().await;

            // Before Sluice is uninstalled.
            replicas[leader].stop(LIMIT)?;
            ensure!(clear_status(system)?.contains("cleared shop/api"));
            wait_for_status(system, "api", "").await?;
            Ok(report)
        })
        .unwrap();
    println!("{report}");
    report.require_no_failure(400).unwrap();
}

#[test]
fn without_the_api_server_nothing_changes_and_its_return_is_noticed() {
    let mut system = System::start().unwrap();
    let (_pods, _replicas, _) = system
        .run(async |system| {
            let started = replicated(system).await?;
            wait_for_leader(system).await?;
            wait_for_status(system, "api", STATUS).await?;
            Ok(started)
        })
        .unwrap();
    system.kill_api_server().unwrap();
    system
        .run(async |_| {
            let _service = service().await?;
            let load = Load::new(System::targets(HOST, "api-"))
                .per_second(100)
                .start();
            // The Lease lapses after 15 s, and 5 s later each node asks the other replica.
            let until = Instant::now() + Duration::from_secs(24);
            while Instant::now() < until {
                sleep(Duration::from_millis(100)).await;
            }
            // Which replica each of them is with is nobody's promise as long as none can lead: each asks once, and stays.
            wait::until("each node is with a replica", SETTLED, async || {
                let [one, other] = connected().await?;
                ensure!(one + other == 3, "{one} and {other}");
                Ok::<_, anyhow::Error>(())
            })
            .await?;
            load.stop().await.require_no_failure(1000)
        })
        .unwrap();
    system.restart_api_server().unwrap();
    system
        .run(async |system| {
            let _service = service().await?;
            system
                .cluster()
                .apply(&ingress("shop", "late", "late.example.com", "api"))?;
            let applied = Instant::now();
            system
                .wait_until_served("late.example.com", "/", "api-")
                .await?;
            let took = applied.elapsed();
            println!("a change right after the API server's return is served after {took:?}");
            ensure!(took < Duration::from_secs(2), "it took {took:?}");
            wait_for_leader(system).await?;
            wait_for_status(system, "api", STATUS).await
        })
        .unwrap();
}

/// An Ingress with its pods, Nodes, and instead of the one control plane two behind one address.
async fn replicated(system: &mut System) -> anyhow::Result<(Vec<Pod>, Vec<Process>, JoinSet<()>)> {
    let pods = shop(system, "shop", &["api"], 2).await?;
    system.cluster().apply(&nodes())?;
    system
        .cluster()
        .apply(&ingress("shop", "api", HOST, "api"))?;
    system.wait_until_served(HOST, "/", "api-").await?;
    system.kill_control_plane()?;
    let service = service().await?;
    let mut replicas = Vec::new();
    for replica in 0..System::REPLICAS {
        replicas.push(start(system, replica).await?);
    }
    Ok((pods, replicas, service))
}

async fn start(system: &System, replica: usize) -> anyhow::Result<Process> {
    let mut process = system.plan().replica(replica).start()?;
    let introspection = introspection(replica)?;
    let what = format!("replica {replica} to answer");
    process
        .wait_until(&what, LIMIT, async || introspection.nodes().await)
        .await?;
    Ok(process)
}

/// Instead of kube-proxy: leads connections to whichever replica takes them.
async fn service() -> anyhow::Result<JoinSet<()>> {
    let listener = TcpListener::bind(System::stream()).await?;
    let mut service = JoinSet::new();
    service.spawn(async move {
        let mut connections = JoinSet::new();
        for turn in 0.. {
            let Ok((mut client, _)) = listener.accept().await else {
                return;
            };
            connections.spawn(async move {
                for replica in [turn % 2, 1 - turn % 2] {
                    let stream = TcpStream::connect(System::replica_stream(replica)).await;
                    if let Ok(mut replica) = stream {
                        // However it ends, both see it.
                        let _ = copy_bidirectional(&mut client, &mut replica).await;
                        return;
                    }
                }
            });
        }
    });
    Ok(service)
}

/// Waits until all nodes have the current snapshot from the replica that holds the Lease, and returns which that is.
async fn wait_for_leader(system: &System) -> anyhow::Result<usize> {
    wait::until("all nodes to follow the leader", LIMIT, async || {
        let holder = system.cluster().kubectl(&[
            "get",
            "lease",
            "sluice-control-plane",
            "--namespace=sluice-system",
            "--output=jsonpath={.spec.holderIdentity}",
        ])?;
        let leader = holder.strip_prefix("control-plane-");
        let leader: usize = leader.context("nobody holds the Lease")?.parse()?;
        introspection(leader)?.live_on(3).await?;
        Ok::<_, anyhow::Error>(leader)
    })
    .await
}

/// How many nodes are connected to each replica.
async fn connected() -> anyhow::Result<[usize; 2]> {
    let mut counts = [0; 2];
    for (replica, count) in counts.iter_mut().enumerate() {
        let nodes = introspection(replica)?.nodes().await?.nodes;
        let connected = nodes
            .iter()
            .filter(|node| node.disconnected_since.is_empty());
        *count = connected.count();
    }
    Ok(counts)
}

/// Waits until the status of an Ingress has these addresses.
async fn wait_for_status(system: &System, name: &str, expected: &str) -> anyhow::Result<()> {
    wait::until(&format!("the status of {name}"), LIMIT, async || {
        let status = system.cluster().kubectl(&[
            "get",
            "ingress",
            name,
            "--namespace=shop",
            "--output=jsonpath={.status.loadBalancer.ingress[*].ip}",
        ])?;
        ensure!(status == expected, "it is {status:?}");
        Ok::<_, anyhow::Error>(())
    })
    .await
}

/// Runs the command with the rights of the control plane, and returns what it printed.
fn clear_status(system: &System) -> anyhow::Result<String> {
    let mut process = system.plan().clear_status().start()?;
    let ended = process.wait(LIMIT)?;
    let log = process.log()?;
    ensure!(ended.is_some_and(|status| status.success()), "{log}");
    Ok(log)
}

fn introspection(replica: usize) -> anyhow::Result<Introspection> {
    Introspection::new(System::replica_introspection(replica))
}

/// Three Nodes, one of them with an address outside the cluster.
fn nodes() -> String {
    let node = |number: u8, addresses: &str| {
        format!(
            "apiVersion: v1\nkind: Node\nmetadata: {{ name: node-{number} }}\nspec: {{ podCIDR: 10.244.{number}.0/24 }}\n\
             status:\n  addresses: [{addresses}]\n  conditions: [{{ type: Ready, status: 'True' }}]\n---\n"
        )
    };
    let internal = |address: &str| format!("{{ type: InternalIP, address: {address} }}");
    let external = "{ type: ExternalIP, address: 203.0.113.3 }";
    [
        node(1, &internal("10.0.0.1")),
        node(2, &internal("10.0.0.2")),
        node(3, &format!("{}, {external}", internal("10.0.0.3"))),
    ]
    .concat()
}

const HOST: &str = "api.example.com";
const STATUS: &str = "10.0.0.1 10.0.0.2 203.0.113.3";
/// Whoever did not reach the leader in time, on a busy machine, tries again after half a minute.
const SETTLED: Duration = Duration::from_secs(90);
const LIMIT: Duration = Duration::from_secs(40);
