//! The ways to install: the base, each overlay, and each of them with every component and settings of one's own, as the
//! documents tell people to put them together.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::manifests;

/// A folder to apply.
#[derive(Debug)]
pub(super) struct Installation {
    folder: PathBuf,
    expected: Vec<&'static str>,
}

impl Installation {
    /// All of them; what has to be written for one is written into `scratch`.
    pub(super) fn all(scratch: &Path) -> anyhow::Result<Vec<Self>> {
        let mut all = vec![Self::plain("", &[])];
        for (overlay, expected) in OVERLAYS {
            all.push(Self::plain(overlay, expected));
        }
        let written = all
            .iter()
            .enumerate()
            .map(|(number, plain)| plain.with_everything(&scratch.join(format!("own-{number}"))))
            .collect::<anyhow::Result<Vec<_>>>()?;
        all.extend(written);
        Ok(all)
    }

    /// The one with the most in it.
    pub(super) fn everything(scratch: &Path) -> anyhow::Result<Self> {
        Self::plain("overlays/k3s", &[]).with_everything(&scratch.join("everything"))
    }

    /// What to give to `kubectl --kustomize`.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// What an apply names, beside what the base has.
    pub(super) fn expected(&self) -> &[&'static str] {
        &self.expected
    }

    fn plain(folder: &str, expected: &[&'static str]) -> Self {
        Self {
            folder: manifests().join(folder),
            expected: expected.to_vec(),
        }
    }

    fn with_everything(&self, folder: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(folder)?;
        let mut kustomization = "
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
configMapGenerator:
  - name: sluice-settings
    namespace: sluice-system
    behavior: replace
    files: [settings.yaml]
"
        .to_owned();
        kustomization += &format!("resources: [{}]\n", relative(folder, &self.folder)?);
        let components = fs::read_dir(manifests().join("components"))?
            .map(|component| relative(folder, &component?.path()))
            .collect::<anyhow::Result<Vec<_>>>()?;
        kustomization += &format!("components: [{}]\n", components.join(", "));
        fs::write(folder.join("kustomization.yaml"), kustomization)?;
        fs::write(
            folder.join("settings.yaml"),
            "accessLog: { enabled: true }\n",
        )?;
        let expected = [&self.expected[..], COMPONENTS].concat();
        let folder = folder.to_owned();
        Ok(Self { folder, expected })
    }
}

/// Kustomize takes no absolute path: the way from the one folder to the other.
fn relative(from: &Path, to: &Path) -> anyhow::Result<String> {
    let (from, to) = (from.canonicalize()?, to.canonicalize()?);
    let mut way: PathBuf = from.components().skip(1).map(|_| "..").collect();
    way.push(to.strip_prefix("/")?);
    let way = way.to_str().context("the repository's path is not UTF-8")?;
    Ok(way.to_owned())
}

const OVERLAYS: [(&str, &[&str]); 3] = [
    ("overlays/k3s", &["helmchartconfig.helm.cattle.io/traefik "]),
    ("overlays/migrate-from-traefik", &[]),
    ("overlays/single-node", &[]),
];
const COMPONENTS: &[&str] = &[
    "podmonitor.monitoring.coreos.com/sluice-control-plane ",
    "podmonitor.monitoring.coreos.com/sluice-data-plane ",
    "clusterrolebinding.rbac.authorization.k8s.io/sluice-secret-reader ",
    // Replaced under its own name, which the Deployment knows.
    "configmap/sluice-settings ",
];
