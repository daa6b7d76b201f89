//! What a data plane has that could open the cluster: nothing. Its pod's files and environment hold no credentials, by name
//! or by content, and from where it is, the API server answers no request for a resource, whether it shows the certificate
//! that it has or none.

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
    let held = stage.nodes.node(0).run(&["bash", "-c", CONTENTS])?;
    ensure!(
        held.contains("/identity/") && held.contains("/snapshot"),
        "the files that matter were not looked into: {held}"
    );
    for line in held.lines().filter(|line| line.starts_with("holds")) {
        row.broken(format_args!("a token or a kubeconfig: {line}"));
    }
    for path in RESOURCES {
        let url = format!("https://10.96.0.1:443{path}");
        for shown in ["nothing", "its certificate"] {
            let status = stage
                .nodes
                .node(0)
                .run(&["python3", "-c", ASK, &url, shown])?;
            let status: u16 = status.trim().parse().with_context(|| status.clone())?;
            if ![401, 403].contains(&status) {
                row.broken(format_args!(
                    "the API server answers {status} to GET {path} of who shows {shown}"
                ));
            }
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

/// Looks into every file of the pod for a token (which begins so, in base64) or a kubeconfig; not into the program itself,
/// which knows the words.
const CONTENTS: &str = "
root=/proc/$(pgrep -x sluice-data-pla | head -n 1)/root
find $root/ \\( -path $root/proc -o -path $root/sys -o -path $root/dev \\) -prune -o -type f ! -name sluice-data-plane \\
    -exec sh -c 'for file; do
        echo looked into $file
        grep --text --quiet --extended-regexp \"eyJhbGciOi|current-context:|client-key-data:\" \"$file\" && echo holds $file
    done' sh {} + || true
";

/// Asks from the node's own network as the pod would, without credentials or with the certificate that the pod has, and
/// prints the status.
const ASK: &str = "
import ssl, subprocess, sys, urllib.error, urllib.request
context = ssl._create_unverified_context()
if sys.argv[2] != 'nothing':
    process = subprocess.check_output(['pgrep', '-x', 'sluice-data-pla'], text=True).split()[0]
    environment = open(f'/proc/{process}/environ').read().split('\\0')
    [folder] = [line.split('=', 1)[1] for line in environment if line.startswith('SLUICE_IDENTITY_DIR=')]
    mounted = f'/proc/{process}/root{folder}'
    context.load_cert_chain(f'{mounted}/tls.crt', f'{mounted}/tls.key')
try:
    print(urllib.request.urlopen(sys.argv[1], context=context, timeout=10).status)
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
