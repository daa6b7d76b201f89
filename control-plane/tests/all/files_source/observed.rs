//! A started source, and what it has sent so far taken together.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use sluice_control_plane::source::{Source, files};
use sluice_proto::{ObjectReference, Problem};
use sluice_translate::Object;
use tempfile::TempDir;
use tokio_util::task::AbortOnDropHandle;

use crate::wait::soon;

/// A folder that is watched, and what its source has sent.
pub(crate) struct Observed {
    _parent: TempDir,
    folder: PathBuf,
    source: Source,
    _task: AbortOnDropHandle<()>,
    /// What holds after all that was sent.
    pub(crate) objects: BTreeMap<ObjectReference, Object>,
    /// What is wrong with the source after all that was sent.
    pub(crate) problems: Vec<Problem>,
    /// Every object that was ever said to be gone.
    pub(crate) removed: Vec<String>,
    pub(crate) synced: bool,
}

impl Observed {
    /// Starts to watch a new folder with these files.
    pub(crate) async fn start(files: &[(&str, &str)]) -> Self {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("folder");
        fs::create_dir(&folder).unwrap();
        for (name, text) in files {
            write(&folder.join(name), text);
        }
        let (source, task) = files::start(&folder).await.unwrap();
        let mut observed = Self {
            _parent: parent,
            folder,
            source,
            _task: AbortOnDropHandle::new(tokio::spawn(async {
                let _ = task.await;
            })),
            objects: BTreeMap::new(),
            problems: Vec::new(),
            removed: Vec::new(),
            synced: false,
        };
        observed.until("the first look", |now| now.synced).await;
        observed
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        write(&self.path(name), text);
    }

    pub(crate) fn remove(&self, name: &str) {
        fs::remove_file(self.path(name)).unwrap();
    }

    /// Takes in what the source sends until the condition holds.
    pub(crate) async fn until(&mut self, what: &str, condition: impl Fn(&Self) -> bool) {
        while !condition(self) {
            let batch = soon(what, self.source.batches.recv()).await;
            let batch = batch.expect("the source goes on");
            for reference in batch.removed {
                self.objects.remove(&reference);
                self.removed.push(reference.name);
            }
            for object in batch.applied {
                self.objects.insert(object.reference(), object);
            }
            if let Some(problems) = batch.problems {
                self.problems = problems;
            }
            self.synced |= batch.synced;
        }
    }

    /// Returns the first port of the Service of this name, if there is one.
    pub(crate) fn port(&self, name: &str) -> Option<i32> {
        self.objects.values().find_map(|object| match object {
            Object::Service(service) if service.metadata.name.as_deref() == Some(name) => {
                Some(service.spec.as_ref()?.ports.as_ref()?.first()?.port)
            }
            _ => None,
        })
    }

    /// Returns the first range that the Settings trust, if there are some.
    pub(crate) fn trusted(&self) -> Option<&str> {
        self.objects.values().find_map(|object| match object {
            Object::Settings(settings) => settings.spec["trustedProxies"]["ranges"][0].as_str(),
            _ => None,
        })
    }

    pub(crate) fn has_problem(&self, code: &str) -> bool {
        self.problems.iter().any(|problem| problem.code == code)
    }

    pub(crate) fn problem(&self, code: &str) -> &Problem {
        let mut problems = self.problems.iter();
        let found = problems.find(|problem| problem.code == code);
        found.unwrap_or_else(|| panic!("no {code} in {:?}", self.problems))
    }
}

/// Returns a Service of this name and port, as YAML.
pub(crate) fn service(name: &str, port: u16) -> String {
    format!(
        "apiVersion: v1\nkind: Service\nmetadata:\n  name: {name}\n  namespace: shop\nspec:\n  ports:\n    - port: \
         {port}\n"
    )
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}
