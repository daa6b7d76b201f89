//! A backend's pods replaced one by one under load, as a rolling update does it, and lost, as a crash does it.

use std::net::Ipv4Addr;
use std::time::Duration;

use sluice_integration_tests::load::Load;
use sluice_integration_tests::namespace::Namespace;
use sluice_integration_tests::system::{EndpointState, Pod, Pods, System, endpoint_slice, ingress};

use super::{ready, shop};

#[test]
fn a_rolling_update_fails_no_request() {
    let mut system = System::start().unwrap();
    let report = system
        .run(async |system| {
            let mut pods = shop(system, "shop", &["api"], 3).await?;
            system
                .cluster()
                .apply(&ingress("shop", "api", "api.example.com", "api"))?;
            system
                .wait_until_served("api.example.com", "/", "api-")
                .await?;
            let load = Load::new(System::targets("api.example.com", "api-"))
                .per_second(300)
                .start();
            // Two whole updates; the addresses of the first are used again in the second, as pods' addresses are.
            for update in 0..2 {
                for replica in 0..3 {
                    let old = pods.remove(0);
                    let ip = Namespace::pod(1, 10 + replica + if update == 0 { 0 } else { 10 });
                    let new = replace(system, &pods, old, ip).await?;
                    pods.push(new);
                    load.wait_for_more(60).await?;
                }
            }
            Ok(load.stop().await)
        })
        .unwrap();
    println!("{report}");
    report.require_no_failure(600).unwrap();
}

#[test]
fn the_last_pods_serve_while_they_terminate() {
    let mut system = System::start().unwrap();
    let report = system
        .run(async |system| {
            let pods = shop(system, "shop", &["api"], 2).await?;
            system
                .cluster()
                .apply(&ingress("shop", "api", "api.example.com", "api"))?;
            system
                .wait_until_served("api.example.com", "/", "api-")
                .await?;
            let load = Load::new(System::targets("api.example.com", "api-")).start();
            load.wait_for_more(50).await?;
            let only = |state| [(pods[0].ip, state), (pods[1].ip, EndpointState::Ending)];
            system.cluster().apply(&endpoint_slice(
                "shop",
                "api",
                &only(EndpointState::Terminating),
            ))?;
            // Both are on their way out: the one that still serves gets everything.
            system
                .wait_until_served("api.example.com", "/", "api-1")
                .await?;
            load.wait_for_more(200).await?;
            let report = load.stop().await;
            system
                .cluster()
                .apply(&endpoint_slice("shop", "api", &only(EndpointState::Ending)))?;
            system
                .wait_until_refused("api.example.com", "/", 503)
                .await?;
            Ok(report)
        })
        .unwrap();
    report.require_no_failure(200).unwrap();
}

#[test]
fn a_pod_that_is_lost_costs_no_request() {
    let mut system = System::start().unwrap();
    let report = system
        .run(async |system| {
            let mut pods = shop(system, "shop", &["api"], 3).await?;
            system
                .cluster()
                .apply(&ingress("shop", "api", "api.example.com", "api"))?;
            system
                .wait_until_served("api.example.com", "/", "api-")
                .await?;
            let load = Load::new(System::targets("api.example.com", "api-")).start();
            load.wait_for_more(100).await?;
            // Its address is gone with it: what is sent there vanishes, and nobody has told the control plane.
            pods.remove(0).lose(system)?;
            load.wait_for_more(600).await?;
            system
                .cluster()
                .apply(&endpoint_slice("shop", "api", &ready(&pods)))?;
            load.wait_for_more(100).await?;
            Ok(load.stop().await)
        })
        .unwrap();
    println!("{report}");
    report.require_no_failure(800).unwrap();
}

/// What the controllers and the kubelet do to replace one pod, in their order.
async fn replace(system: &System, others: &[Pod], old: Pod, ip: Ipv4Addr) -> anyhow::Result<Pod> {
    let write = |new: Option<EndpointState>, of_old: Option<EndpointState>| {
        let mut pods = ready(others);
        pods.extend(new.map(|state| (ip, state)));
        pods.extend(of_old.map(|state| (old.ip, state)));
        system
            .cluster()
            .apply(&endpoint_slice("shop", "api", &pods))
    };
    write(Some(EndpointState::NotReady), Some(EndpointState::Ready))?;
    let name = format!("api-at-{ip}");
    let new = Pods::of(system).start(system, &name, ip, LINGER).await?;
    write(Some(EndpointState::Ready), Some(EndpointState::Ready))?;
    // The kubelet and the controller hear of the deletion at the same time; here the kubelet is the faster one, which
    // is the harder case.
    old.terminate()?;
    write(Some(EndpointState::Ready), Some(EndpointState::Terminating))?;
    let gone = old.ip;
    old.remove(system)?;
    let mut pods = ready(others);
    pods.push((ip, EndpointState::Ready));
    system
        .cluster()
        .apply(&endpoint_slice("shop", "api", &pods))?;
    anyhow::ensure!(gone != ip, "a pod's address is not given to its successor");
    Ok(new)
}

/// What people write as a preStop sleep, since no proxy hears of anything at once.
const LINGER: Duration = Duration::from_secs(2);
