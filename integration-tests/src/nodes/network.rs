//! The wires: one bridge, with a cable to every node and to the clients outside.

use std::net::Ipv4Addr;

use crate::kubernetes::Cluster;
use crate::namespace::Namespace;

/// Sets up the network that the control components are in, with the bridge.
pub(super) fn control(namespace: &Namespace) -> anyhow::Result<()> {
    namespace.configure(&[
        format!("link add {BRIDGE} type bridge"),
        format!("link set {BRIDGE} up"),
        format!("address add {}/24 dev {BRIDGE}", Namespace::CONTROL),
    ])
}

/// Makes the network of clients: they reach the nodes, and nothing behind them.
pub(super) fn outside(cluster: &Cluster) -> anyhow::Result<Namespace> {
    let outside = Namespace::create_bare()?;
    plug(cluster.namespace(), &outside, "outside", OUTSIDE)?;
    Ok(outside)
}

/// Makes the network of a node, which routes to the pods of the others.
pub(super) fn node(cluster: &Cluster, number: usize) -> anyhow::Result<Namespace> {
    let node = Namespace::create_bare()?;
    plug(
        cluster.namespace(),
        &node,
        &format!("node-{number}"),
        Namespace::NODES[number - 1],
    )?;
    let mut commands = vec![format!("route add default via {}", Namespace::CONTROL)];
    for (other, address) in (1..).zip(Namespace::NODES) {
        if other != number {
            commands.push(format!("route add {} via {address}", pods(other)));
        }
    }
    node.configure(&commands)?;
    // The control components speak to pods, too.
    let address = Namespace::NODES[number - 1];
    cluster
        .namespace()
        .configure(&[format!("route replace {} via {address}", pods(number))])?;
    Ok(node)
}

/// The addresses of a node's pods.
pub(super) fn pods(number: usize) -> String {
    format!("10.244.{number}.0/24")
}

fn plug(
    control: &Namespace,
    machine: &Namespace,
    cable: &str,
    address: Ipv4Addr,
) -> anyhow::Result<()> {
    control.configure(&[
        format!(
            "link add {cable} type veth peer name {DEVICE} netns {}",
            machine.name()
        ),
        format!("link set {cable} master {BRIDGE} up"),
    ])?;
    machine.configure(&[
        format!("link set {DEVICE} up"),
        format!("address add {address}/24 dev {DEVICE}"),
    ])
}

const BRIDGE: &str = "machines";
/// In a node's own network.
pub(super) const DEVICE: &str = "eth0";
const OUTSIDE: Ipv4Addr = Ipv4Addr::new(10, 200, 0, 100);
