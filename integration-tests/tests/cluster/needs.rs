//! What the machine must have, looked for before minutes are spent.

use std::env;
use std::path::Path;

use anyhow::ensure;

/// Fails with what to install.
pub(crate) fn check() -> anyhow::Result<()> {
    let missing: Vec<&str> = NEEDED
        .iter()
        .filter(|(program, _)| !is_there(program))
        .map(|(_, package)| *package)
        .collect();
    ensure!(
        !Path::new(UNIFIED).exists(),
        "the cluster's nodes need version 1 of control groups, and this machine has version 2 alone: start it with the kernel \
         parameter systemd.unified_cgroup_hierarchy=0"
    );
    ensure!(
        missing.is_empty(),
        "the cluster's nodes need what is not on this machine: apt-get install {}",
        missing.join(" ")
    );
    Ok(())
}

fn is_there(program: &str) -> bool {
    if program.starts_with('/') {
        return Path::new(program).exists();
    }
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(program).exists())
}

const UNIFIED: &str = "/sys/fs/cgroup/cgroup.controllers";
/// Programs, and the Debian packages that have them.
const NEEDED: [(&str, &str); 10] = [
    ("ip", "iproute2"),
    ("nsenter", "util-linux"),
    ("containerd", "containerd"),
    ("runc", "runc"),
    ("/usr/lib/cni/bridge", "containernetworking-plugins"),
    ("iptables", "iptables"),
    ("conntrack", "conntrack"),
    ("pkill", "procps"),
    ("python3", "python3"),
    ("cc", "gcc libc6-dev"),
];
