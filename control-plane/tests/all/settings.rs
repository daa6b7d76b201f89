//! The settings file, with real files: what holds at the start, and as it changes.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use sluice_control_plane::settings::{CurrentSettings, open};
use tempfile::TempDir;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use crate::wait::soon;

/// A settings file that is watched.
struct Watched {
    folder: TempDir,
    current: watch::Receiver<CurrentSettings>,
    _task: AbortOnDropHandle<()>,
}

impl Watched {
    async fn start(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("settings.yaml"), text).unwrap();
        Self::open(folder).await
    }

    async fn open(folder: TempDir) -> Self {
        let (current, task) = open(Some(&folder.path().join("settings.yaml")))
            .await
            .unwrap();
        Self {
            folder,
            current,
            _task: AbortOnDropHandle::new(tokio::spawn(async {
                let _ = task.await;
            })),
        }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("settings.yaml")
    }

    async fn until(
        &mut self,
        what: &str,
        condition: impl Fn(&CurrentSettings) -> bool,
    ) -> CurrentSettings {
        let current = self.current.wait_for(condition);
        soon(what, current).await.unwrap().clone()
    }
}

fn header_bytes(current: &CurrentSettings) -> u32 {
    current.settings.edge.limits.header_bytes
}

async fn refused(path: &Path) -> String {
    let error = open(Some(path)).await.err().unwrap();
    format!("{:#}", anyhow::Error::from(error))
}

#[tokio::test]
async fn without_a_file_the_defaults_hold() {
    let (current, task) = open(None).await.unwrap();
    assert_eq!(
        *current.borrow().settings,
        sluice_translate::EdgeSettings::default()
    );
    drop(task);
}

#[tokio::test]
async fn a_change_is_seen_without_a_restart() {
    let mut watched = Watched::start("limits: {headerBytes: 1000}\n").await;
    assert_eq!(header_bytes(&watched.current.borrow()), 1000);
    fs::write(watched.file(), "limits: {headerBytes: 2000}\n").unwrap();
    watched
        .until("the new limit", |now| header_bytes(now) == 2000)
        .await;
    let new = watched.folder.path().join("new");
    fs::write(&new, "limits: {headerBytes: 3000}\n").unwrap();
    fs::rename(new, watched.file()).unwrap();
    watched
        .until("the newest limit", |now| header_bytes(now) == 3000)
        .await;
}

#[tokio::test]
async fn a_mounted_config_map_that_is_swapped_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let at = |path: &str| folder.path().join(path);
    for (version, bytes) in [("..v1", 1000), ("..v2", 2000)] {
        fs::create_dir(at(version)).unwrap();
        let text = format!("limits: {{headerBytes: {bytes}}}\n");
        fs::write(at(version).join("settings.yaml"), text).unwrap();
    }
    symlink("..v1", at("..data")).unwrap();
    symlink("..data/settings.yaml", at("settings.yaml")).unwrap();
    symlink("..v2", at("..data_tmp")).unwrap();
    let (from, to) = (at("..data_tmp"), at("..data"));
    let mut watched = Watched::open(folder).await;
    assert_eq!(header_bytes(&watched.current.borrow()), 1000);
    fs::rename(from, to).unwrap();
    watched
        .until("the new limit", |now| header_bytes(now) == 2000)
        .await;
}

#[tokio::test]
async fn a_malformed_change_is_a_problem_and_the_last_good_settings_stay() {
    let mut watched = Watched::start("limits: {headerBytes: 1000}\n").await;
    fs::write(watched.file(), "limits:\n  headerBytse: 2000\n").unwrap();
    let broken = watched
        .until("a problem", |now| now.problem.is_some())
        .await;
    let problem = broken.problem.as_ref().unwrap();
    assert_eq!(problem.code, "SettingsUnusable");
    assert!(problem.object.name.ends_with("settings.yaml"), "{problem}");
    assert!(problem.message.contains("line 2"), "{problem}");
    assert!(problem.message.contains("headerBytse"), "{problem}");
    assert_eq!(header_bytes(&broken), 1000);
    fs::write(watched.file(), "limits: {headerBytes: 1000}\n").unwrap();
    watched
        .until("no problem", |now| now.problem.is_none())
        .await;
}

#[tokio::test]
async fn a_file_that_goes_away_is_a_problem_and_the_last_good_settings_stay() {
    let mut watched = Watched::start("limits: {headerBytes: 1000}\n").await;
    fs::remove_file(watched.file()).unwrap();
    let gone = watched
        .until("a problem", |now| now.problem.is_some())
        .await;
    assert_eq!(header_bytes(&gone), 1000);
    fs::write(watched.file(), "limits: {headerBytes: 2000}\n").unwrap();
    let back = watched
        .until("it is back", |now| now.problem.is_none())
        .await;
    assert_eq!(header_bytes(&back), 2000);
}

#[tokio::test]
async fn at_the_start_what_cannot_be_used_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("settings.yaml");
    let name = file.to_str().unwrap();
    let error = refused(&file).await;
    assert!(error.contains(name), "{error}");
    fs::write(&file, "accessLog: {}\n\ntimeouts:\n  connect: soon\n").unwrap();
    let error = refused(&file).await;
    for part in [name, "line 4", "timeouts.connect"] {
        assert!(error.contains(part), "{part}: {error}");
    }
}
