//! The control plane is gone: what runs serves on, what restarts serves from disk, and what has nothing on disk answers
//! nobody.

use std::fs;
use std::net::SocketAddrV4;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use sluice_integration_tests::client::fetch;
use sluice_integration_tests::load::Load;
use sluice_integration_tests::process::Program;
use sluice_integration_tests::system::{
    Pod, Pods, System, endpoint_slice, granted_namespace, ingress, require_backend, service,
};
use sluice_integration_tests::wait;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use super::{ready, shop};

#[test]
fn everything_serves_on_and_a_restart_serves_from_disk_within_a_second() {
    let mut system = System::start().unwrap();
    let report = system
        .run(async |system| {
            let _pods = headless(system).await?;
            system.wait_until_live().await?;
            wait_for_disk_copies(system).await?;
            let others = System::targets(HOST, "api-").split_off(1);
            let load = Load::new(others).start();
            load.wait_for_more(100).await?;
            system.kill_control_plane()?;
            load.wait_for_more(200).await?;

            system.kill_data_plane(0)?;
            let restarted = Instant::now();
            system.restart_data_plane(0)?;
            let destination = System::destination(0, HOST, "/");
            wait::until("node-1 to serve from disk", LIMIT, async || {
                require_backend(&fetch(&destination).await?, "api-")
            })
            .await?;
            let took = restarted.elapsed();
            println!("served from disk {took:?} after the start");
            ensure!(took < Duration::from_secs(1), "it took {took:?}");

            load.wait_for_more(100).await?;
            system.start_control_plane().await?;
            system.wait_until_live().await?;
            // And it is a control plane like the one before: what changes now is served.
            system
                .cluster()
                .apply(&ingress("shop", "late", "late.example.com", "api"))?;
            system
                .wait_until_served("late.example.com", "/", "api-")
                .await?;
            Ok(load.stop().await)
        })
        .unwrap();
    println!("{report}");
    report.require_no_failure(400).unwrap();
}

#[test]
fn without_a_disk_copy_nothing_is_answered_until_the_control_plane_returns() {
    let mut system = System::start().unwrap();
    let outcome = system.run(async |system| {
        let _pods = headless(system).await?;
        system.wait_until_live().await?;
        wait_for_disk_copies(system).await?;
        system.kill_control_plane()?;
        let damage: [fn(&Path) -> anyhow::Result<()>; System::NODES] = [remove, cut_short, corrupt];
        for (node, damage) in damage.into_iter().enumerate() {
            system.kill_data_plane(node)?;
            for file in kept_files(&system.plan().state(node))? {
                damage(&file)?;
            }
            system.restart_data_plane(node)?;
            let status = wait_for_status(system, node).await?;
            ensure!(
                !status.contains("\"serving\""),
                "node-{} claims to serve: {status}",
                node + 1
            );
            ensure!(
                !admin(system, node, "ready")?.0,
                "node-{} is ready with nothing to serve",
                node + 1
            );
        }
        require_refused_for_a_while().await?;
        system.start_control_plane().await?;
        system.wait_until_served(HOST, "/", "api-").await?;
        system.wait_until_live().await?;
        for node in 0..System::NODES {
            ensure!(
                admin(system, node, "ready")?.0,
                "node-{} serves and is not ready",
                node + 1
            );
        }
        Ok(())
    });
    outcome.unwrap();
}

#[test]
fn endpoints_from_disk_are_reached_through_the_service() {
    let mut system = System::start().unwrap();
    let outcome = system.run(async |system| {
        let _pods = shop(system, "shop", &["api"], 2).await?;
        system
            .cluster()
            .apply(&ingress("shop", "api", HOST, "api"))?;
        system.wait_until_served(HOST, "/", "api-").await?;
        // Nobody runs kube-proxy here: a pod on the Service's own address answers in its place.
        let address = system.cluster().kubectl(&[
            "get",
            "service",
            "api",
            "--namespace=shop",
            "--output=jsonpath={.spec.clusterIP}",
        ])?;
        let address = SocketAddrV4::new(address.parse()?, 80);
        let _service = Pods::of(system)
            .start_at(system, "service", address, Duration::ZERO)
            .await?;
        system.wait_until_live().await?;
        wait_for_disk_copies(system).await?;
        system.kill_control_plane()?;
        system.kill_data_plane(0)?;
        system.restart_data_plane(0)?;
        let destination = System::destination(0, HOST, "/");
        wait::until("node-1 to go through the Service", LIMIT, async || {
            require_backend(&fetch(&destination).await?, "service")
        })
        .await?;
        // It never went to a pod's address that may be somebody else's by now; and with the control plane it does.
        system.start_control_plane().await?;
        system.wait_until_served(HOST, "/", "api-").await
    });
    outcome.unwrap();
}

/// A Service without an address of its own, whose pods are all that there is.
async fn headless(system: &System) -> anyhow::Result<Vec<Pod>> {
    let pods = Pods::of(system).start_all(system, "api", 2, (1, 1)).await?;
    let service = service("shop", "api").replace("spec: {", "spec: { clusterIP: None,");
    let slice = endpoint_slice("shop", "api", &ready(&pods));
    let namespace = granted_namespace("shop");
    let ingress = ingress("shop", "api", HOST, "api");
    system.cluster().apply(&format!(
        "{namespace}---\n{service}---\n{slice}---\n{ingress}"
    ))?;
    system.wait_until_served(HOST, "/", "api-").await?;
    Ok(pods)
}

/// Every node refuses every connection, on both ports, for two seconds.
async fn require_refused_for_a_while() -> anyhow::Result<()> {
    let until = Instant::now() + Duration::from_secs(2);
    while Instant::now() < until {
        for node in 0..System::NODES {
            for address in [System::http(node), System::https(node)] {
                match TcpStream::connect(address).await {
                    Ok(_) => bail!("{address} takes connections with nothing to serve"),
                    Err(error) => ensure!(
                        error.kind() == std::io::ErrorKind::ConnectionRefused,
                        "{error}"
                    ),
                }
            }
        }
        sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// What `sluice-data-plane status` prints, once the data plane answers it.
async fn wait_for_status(system: &System, node: usize) -> anyhow::Result<String> {
    wait::until(
        &format!("node-{} to tell its status", node + 1),
        LIMIT,
        async || {
            let (succeeded, said) = admin(system, node, "status")?;
            ensure!(succeeded, "{said}");
            Ok::<_, anyhow::Error>(said)
        },
    )
    .await
}

/// Runs `sluice-data-plane COMMAND` as a probe would; returns whether it succeeded and what it said.
fn admin(system: &System, node: usize, command: &str) -> anyhow::Result<(bool, String)> {
    let logs = tempfile::tempdir()?;
    let program = Program::new(command, &system.plan().programs().data_plane, logs.path())
        .arg(command)
        .arg("--admin-socket")
        .arg(system.plan().state(node).join("admin.sock"));
    let mut process = program.start()?;
    let ended = process.wait(LIMIT)?;
    Ok((ended.is_some_and(|status| status.success()), process.log()?))
}

/// Waits until every node has written what it holds: at most once a second, so that a copy that was not replaced for
/// longer will not be.
async fn wait_for_disk_copies(system: &System) -> anyhow::Result<()> {
    for node in 0..System::NODES {
        let state = system.plan().state(node);
        wait::until(
            &format!("the disk copy of node-{}", node + 1),
            LIMIT,
            async || {
                let mut last = None;
                for file in kept_files(&state)? {
                    last = last.max(Some(fs::metadata(file)?.modified()?));
                }
                let age = last.context("no file")?.elapsed()?;
                ensure!(age > Duration::from_millis(1500), "it is {age:?} old");
                Ok::<_, anyhow::Error>(())
            },
        )
        .await?;
    }
    Ok(())
}

/// What a data plane keeps on disk.
fn kept_files(state: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(state)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            files.push(entry.path());
        }
    }
    ensure!(
        !files.is_empty(),
        "there is no disk copy in {}",
        state.display()
    );
    Ok(files)
}

fn remove(copy: &Path) -> anyhow::Result<()> {
    Ok(fs::remove_file(copy)?)
}

fn cut_short(copy: &Path) -> anyhow::Result<()> {
    let bytes = fs::read(copy)?;
    Ok(fs::write(copy, &bytes[..bytes.len() / 2])?)
}

fn corrupt(copy: &Path) -> anyhow::Result<()> {
    let mut bytes = fs::read(copy)?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    Ok(fs::write(copy, bytes)?)
}

const HOST: &str = "api.example.com";
const LIMIT: Duration = Duration::from_secs(30);
