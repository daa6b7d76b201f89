//! A site: the folders of one data plane, and a loopback address of its own, so that its ports can be known before
//! anybody listens on them.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Output;
use std::sync::atomic::{AtomicU8, Ordering};

use serde_json::Value;
use sluice_proto::Resource;
use tempfile::TempDir;
use tokio::net::TcpStream;

use super::{Authority, ControlPlane, DataPlane, data_plane, eventually, within};
use super::{listeners, route, service};

/// Where one data plane lives. What it started ends before it, and its folders with it.
pub(crate) struct Site {
    pub(crate) authority: Authority,
    folder: TempDir,
    ip: Ipv4Addr,
}

impl Site {
    pub(crate) fn new() -> Self {
        static SITES: AtomicU8 = AtomicU8::new(1);
        let site = SITES.fetch_add(1, Ordering::Relaxed);
        // Another run of these tests at the same time has another process id.
        let [.., high, low] = std::process::id().to_be_bytes();
        let site = Self {
            authority: Authority::new(),
            folder: tempfile::tempdir().unwrap(),
            ip: Ipv4Addr::new(127, 64 | high & 63, low, site),
        };
        site.authority.write(&site.identity());
        site
    }

    pub(crate) fn identity(&self) -> PathBuf {
        self.folder.path().join("identity")
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// Returns where the copy of the snapshot is.
    pub(crate) fn copy(&self) -> PathBuf {
        self.state().join("snapshot")
    }

    /// Waits until the first snapshot is on disk.
    pub(crate) async fn copied(&self) {
        eventually("the copy on disk", async || self.copy().is_file()).await;
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.state().join("admin.sock")
    }

    pub(crate) fn stream(&self) -> SocketAddr {
        (self.ip, 8443).into()
    }

    pub(crate) fn http(&self) -> SocketAddr {
        (self.ip, 8080).into()
    }

    pub(crate) fn https(&self) -> SocketAddr {
        (self.ip, 8444).into()
    }

    pub(crate) fn metrics(&self) -> SocketAddr {
        (self.ip, 9090).into()
    }

    pub(crate) async fn control_plane(&self) -> ControlPlane {
        ControlPlane::start(self.stream(), self.authority.server()).await
    }

    pub(crate) fn data_plane(&self) -> DataPlane {
        self.data_plane_with(&[])
    }

    /// Starts the data plane with more arguments.
    pub(crate) fn data_plane_with(&self, arguments: &[&str]) -> DataPlane {
        DataPlane::start(self, &self.state(), arguments)
    }

    /// Returns another pod of the same node: it has a state folder of its own.
    pub(crate) fn pod(&self, name: &str) -> Pod<'_> {
        let state = self.folder.path().join(name);
        Pod { site: self, state }
    }

    /// Waits until the first data plane has this part in the hand-over.
    pub(crate) async fn first_part(&self, part: &str) {
        self.first_pod().part(part).await;
    }

    fn first_pod(&self) -> Pod<'_> {
        self.pod("state")
    }

    /// Returns what all data planes of this site have logged.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    pub(crate) fn log_file(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// Waits until this is in the log.
    pub(crate) async fn logged(&self, text: &str) {
        eventually(&format!("{text:?} in the log"), async || {
            self.log().contains(text)
        })
        .await;
    }

    /// Runs a command of the program, such as `ready`, that asks the data plane of this site.
    pub(crate) async fn ask(&self, command: &str) -> Asked {
        self.first_pod().ask(command).await
    }

    /// Runs a command of the program with no flag and these variables.
    pub(crate) async fn ask_in(&self, command: &str, environment: &[(&str, &str)]) -> Asked {
        let mut program = data_plane::program();
        program.arg(command).envs(environment.iter().copied());
        Asked::of(within(command, program.output()).await.unwrap())
    }

    /// Returns what `status` prints.
    pub(crate) async fn status(&self) -> Value {
        self.first_pod().status().await
    }

    /// Waits until the probe `ready` fails with this reason.
    pub(crate) async fn unready(&self, reason: &str) {
        self.first_pod().unready(reason).await;
    }

    /// Waits until the probe `ready` goes well.
    pub(crate) async fn ready(&self) {
        self.first_pod().ready().await;
    }

    /// Waits until the port for metrics is open, which is once no other process of the node can have it.
    pub(crate) async fn metrics_open(&self) {
        eventually("the port for metrics is open", async || {
            TcpStream::connect(self.metrics()).await.is_ok()
        })
        .await;
    }

    /// Fails if anybody listens where clients come.
    pub(crate) async fn refuses_connections(&self) {
        for address in [self.http(), self.https()] {
            let error = TcpStream::connect(address).await.map(drop).unwrap_err();
            assert_eq!(
                error.kind(),
                std::io::ErrorKind::ConnectionRefused,
                "{address}"
            );
        }
    }
}

/// One pod of a site's node.
pub(crate) struct Pod<'a> {
    site: &'a Site,
    state: PathBuf,
}

impl Pod<'_> {
    /// Starts its data plane.
    pub(crate) fn start(&self) -> DataPlane {
        self.start_with(&[])
    }

    /// Starts its data plane with more arguments, or others.
    pub(crate) fn start_with(&self, arguments: &[&str]) -> DataPlane {
        DataPlane::start(self.site, &self.state, arguments)
    }

    /// Starts its data plane in a network namespace of its own, where 192.0.2.1 is its only address but for loopback.
    pub(crate) fn start_alone(&self, arguments: &[&str]) -> DataPlane {
        DataPlane::start_alone(self.site, &self.state, arguments)
    }

    /// Runs a command of the program, such as `ready`, that asks its data plane.
    pub(crate) async fn ask(&self, command: &str) -> Asked {
        let mut program = data_plane::program();
        program.arg(command).arg("--state-dir").arg(&self.state);
        Asked::of(within(command, program.output()).await.unwrap())
    }

    /// Returns what `status` prints.
    pub(crate) async fn status(&self) -> Value {
        let asked = self.ask("status").await;
        assert_eq!(asked.code, Some(0), "{asked:?}");
        serde_json::from_str(&asked.stdout).unwrap()
    }

    /// Waits until it has this part in the hand-over.
    pub(crate) async fn part(&self, part: &str) {
        eventually(part, async || {
            let asked = self.ask("status").await;
            asked.code == Some(0) && asked.stdout.contains(&format!("\"part\": \"{part}\""))
        })
        .await;
    }

    /// Waits until the probe `ready` fails with this reason.
    pub(crate) async fn unready(&self, reason: &str) {
        eventually(&format!("unready: {reason}"), async || {
            let asked = self.ask("ready").await;
            asked.code == Some(1) && asked.stdout.contains(reason)
        })
        .await;
    }

    /// Waits until the probe `ready` goes well.
    pub(crate) async fn ready(&self) {
        eventually("ready", async || self.ask("ready").await.code == Some(0)).await;
    }
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Asked {
    fn of(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// All that makes `shop.example` answer from this backend.
pub(crate) fn shop(backend: SocketAddr) -> Vec<Resource> {
    let mut resources = listeners().to_vec();
    resources.push(route("shop.example", "/", "web"));
    resources.extend(service("web", [backend]));
    resources
}
