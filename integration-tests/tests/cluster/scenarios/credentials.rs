//! What a data plane has that could open the cluster: nothing. Its pod's files and environment hold no credentials, and
//! from where it is, the API server answers no request for a resource.

use anyhow::{Context as _, ensure};

use crate::stage::Stage;
use crate::table::Row;

pub(crate) fn run(stage: &mut Stage, row: &mut Row) -> anyhow::Result<()> {
    let found = stage.nodes.node(0).run(&["bash", "-c", FILES])?;
    ensure!(
        found.contains("sluice-data-plane"),
        "the pod's files cannot be seen: {found}"
    );
    for line in found.lines() {
        let lower = line.to_ascii_lowercase();
        for secret in ["serviceaccount", "kubeconfig", "token"] {
            if lower.contains(secret) {
                row.broken(format_args!("the pod has {line}"));
            }
        }
    }
    row.note(format_args!(
        "{} files and variables, no credentials",
        found.lines().count()
    ));
    for path in RESOURCES {
        let url = format!("https://10.96.0.1:443{path}");
        let status = stage.nodes.node(0).run(&["python3", "-c", ASK, &url])?;
        let status: u16 = status.trim().parse().with_context(|| status.clone())?;
        if ![401, 403].contains(&status) {
            row.broken(format_args!(
                "the API server answers {status} to GET {path}"
            ));
        }
    }
    row.note(format_args!(
        "{} resources asked for, all refused",
        RESOURCES.len()
    ));
    Ok(())
}

/// Prints every file that the data plane's process sees, and its environment.
const FILES: &str = "
set -e
process=$(pgrep -x sluice-data-pla | head -n 1)
find /proc/$process/root/ -xdev -type f -o -type l
find /proc/$process/root/etc/ /proc/$process/root/var/ /proc/$process/root/run/ 2>/dev/null || true
grep --text -c . /proc/$process/root/proc/mounts >/dev/null && cut -d' ' -f1-3 /proc/$process/mounts
tr '\\0' '\\n' </proc/$process/environ
";

/// Asks without credentials, from the node's own network as the pod would, and prints the status.
const ASK: &str = "
import ssl, sys, urllib.error, urllib.request
try:
    print(urllib.request.urlopen(sys.argv[1], context=ssl._create_unverified_context(), timeout=10).status)
except urllib.error.HTTPError as error:
    print(error.code)
";

const RESOURCES: [&str; 10] = [
    "/api/v1/secrets",
    "/api/v1/namespaces",
    "/api/v1/nodes",
    "/api/v1/namespaces/sluice-data-plane/secrets/sluice-data-plane-identity",
    "/api/v1/namespaces/sluice-system/secrets/sluice-control-plane-identity",
    "/api/v1/namespaces/honeydue/pods",
    "/api/v1/namespaces/honeydue/services",
    "/apis/networking.k8s.io/v1/ingresses",
    "/apis/discovery.k8s.io/v1/endpointslices",
    "/apis/coordination.k8s.io/v1/namespaces/sluice-system/leases",
];
