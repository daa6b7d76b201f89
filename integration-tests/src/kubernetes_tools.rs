//! The programs of a real Kubernetes: found in a folder that the user names, or built once from the
//! Go modules that `kubernetes-tools/go.mod` and `coredns/go.mod` pin, and kept in the user's cache.
//! Nothing here runs them, apart from Go itself.
//!
//! In this order:
//!
//! 1. `SLUICE_KUBERNETES_TOOLS` names a folder: it must hold them all.
//! 2. `${SLUICE_CACHE_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/sluice}/kubernetes-tools/PIN/bin`; `PIN`
//!    stands for everything that decides what comes out of a build.
//! 3. What is missing there is built into it.

mod build;
mod go;

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use self::go::Module;

/// The programs, all of them present.
#[derive(Clone, Debug)]
pub struct KubernetesTools {
    folder: PathBuf,
}

impl KubernetesTools {
    /// Finds the programs, or builds them: minutes, the first time, with the progress on the
    /// standard error.
    pub fn find() -> anyhow::Result<Self> {
        Self::find_all(&API_SERVER)
    }

    /// As [`KubernetesTools::find`], with what real nodes need besides.
    pub fn find_for_nodes() -> anyhow::Result<Self> {
        Self::find_all(&[&API_SERVER[..], &NODES[..]].concat())
    }

    /// The programs of an API server in a folder of the user's choice, which must hold them all.
    pub fn in_folder(folder: PathBuf) -> anyhow::Result<Self> {
        Self::all_in_folder(folder, &API_SERVER)
    }

    fn find_all(programs: &[GoProgram]) -> anyhow::Result<Self> {
        if let Some(folder) = variable(FOLDER_VARIABLE) {
            return Self::all_in_folder(folder, programs);
        }
        build::missing(&cache("kubernetes-tools")?, programs).map(|folder| Self { folder })
    }

    fn all_in_folder(folder: PathBuf, programs: &[GoProgram]) -> anyhow::Result<Self> {
        let missing = missing_in(&folder, programs);
        if !missing.is_empty() {
            let names: Vec<&str> = missing.iter().map(|program| program.name).collect();
            bail!(
                "{FOLDER_VARIABLE} names {}, which has no executable {}; put them there, or \
                 unset {FOLDER_VARIABLE} to have them built",
                folder.display(),
                names.join(", ")
            );
        }
        Ok(Self { folder })
    }

    /// The path of a program, by its name.
    pub fn program(&self, name: &str) -> anyhow::Result<PathBuf> {
        let mut known = API_SERVER.iter().chain(&NODES);
        if known.all(|program| program.name != name) {
            bail!(
                "{name} is none of the programs that the tests of Kubernetes build: add it to NODES"
            );
        }
        Ok(self.folder.join(name))
    }
}

/// A program and the Go package that it is built from.
#[derive(Clone, Copy, Debug)]
struct GoProgram {
    name: &'static str,
    module: Module,
    package: &'static str,
}

impl GoProgram {
    const fn kubernetes(name: &'static str, package: &'static str) -> Self {
        Self {
            name,
            module: Module::Kubernetes,
            package,
        }
    }
}

/// Those of these programs that the folder lacks.
fn missing_in(folder: &Path, programs: &[GoProgram]) -> Vec<GoProgram> {
    programs
        .iter()
        .copied()
        .filter(|program| !is_executable(&folder.join(program.name)))
        .collect()
}

fn is_executable(path: &Path) -> bool {
    path.is_file() && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok()
}

/// Where this package keeps what it has built or installed under this name.
pub(crate) fn cache(name: &str) -> anyhow::Result<PathBuf> {
    let sluice = match (
        variable("SLUICE_CACHE_DIR"),
        variable("XDG_CACHE_HOME"),
        variable("HOME"),
    ) {
        (Some(cache), _, _) => cache,
        (None, Some(caches), _) => caches.join("sluice"),
        (None, None, Some(home)) => home.join(".cache/sluice"),
        (None, None, None) => {
            bail!("no place to keep programs in: set SLUICE_CACHE_DIR or HOME")
        }
    };
    let sluice = std::path::absolute(&sluice)
        .with_context(|| format!("{} is no usable path", sluice.display()))?;
    Ok(sluice.join(name))
}

/// A variable that names a folder; an empty one counts as unset.
fn variable(name: &str) -> Option<PathBuf> {
    env::var_os(name)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}

const FOLDER_VARIABLE: &str = "SLUICE_KUBERNETES_TOOLS";

/// Of an API server, and to look at it.
const API_SERVER: [GoProgram; 4] = [
    GoProgram::kubernetes("etcd", "go.etcd.io/etcd/server/v3"),
    GoProgram::kubernetes("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"),
    GoProgram::kubernetes("kubectl", "k8s.io/kubernetes/cmd/kubectl"),
    GoProgram::kubernetes("grpcurl", "github.com/fullstorydev/grpcurl/cmd/grpcurl"),
];
/// Of a cluster with nodes.
const NODES: [GoProgram; 5] = [
    GoProgram::kubernetes(
        "kube-controller-manager",
        "k8s.io/kubernetes/cmd/kube-controller-manager",
    ),
    GoProgram::kubernetes("kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler"),
    GoProgram::kubernetes("kubelet", "k8s.io/kubernetes/cmd/kubelet"),
    GoProgram::kubernetes("kube-proxy", "k8s.io/kubernetes/cmd/kube-proxy"),
    GoProgram {
        name: "coredns",
        module: Module::CoreDns,
        package: ".",
    },
];
