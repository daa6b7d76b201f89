//! The container runtime of a node, and its network plugin.

use std::fs;
use std::path::Path;

use anyhow::Context as _;

use super::init::Init;
use super::network;
use crate::process::Program;

/// The image that holds a pod's namespaces.
pub(super) const PAUSE: &str = "sluice.test/pause:1";

/// Writes its configuration into the node's folder and returns how it is started.
pub(super) fn program(init: &Init, folder: &Path, number: usize) -> anyhow::Result<Program> {
    let plugins = folder.join("cni");
    fs::create_dir_all(&plugins)?;
    let write = |name: &str, text: String| {
        let path = folder.join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    };
    write("cni/bridge.conflist", network_plugin(number))?;
    write("containerd.toml", configuration(&plugins)?)?;
    let logs = folder.join("logs");
    Ok(init
        .program("containerd", "containerd", &logs)
        .arg("--config")
        .arg(folder.join("containerd.toml")))
}

fn configuration(plugins: &Path) -> anyhow::Result<String> {
    let plugins = plugins.to_str().context("the folder is not UTF-8")?;
    Ok(format!(
        r#"version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
[grpc]
  address = "{SOCKET}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE}"
  # Who is in a user's or container's namespace may not lower it.
  restrict_oom_score_adj = true
  # They are gone with the node then.
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{CNI}"
    conf_dir = "{plugins}"
"#
    ))
}

fn network_plugin(number: usize) -> String {
    let pods = network::pods(number);
    format!(
        r#"{{
  "cniVersion": "0.4.0", "name": "pods",
  "plugins": [{{
    "type": "bridge", "bridge": "cni0", "isGateway": true, "hairpinMode": true,
    "ipam": {{
      "type": "host-local", "ranges": [[{{ "subnet": "{pods}" }}]],
      "routes": [{{ "dst": "0.0.0.0/0" }}]
    }}
  }}]
}}
"#
    )
}

pub(super) const SOCKET: &str = "/run/containerd/containerd.sock";
/// Where Debian's package containernetworking-plugins has them.
pub(super) const CNI: &str = "/usr/lib/cni";
