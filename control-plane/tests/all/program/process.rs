//! A running control plane: its flags, its log, its end.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStderr, Command};

use crate::wait::{soon, until};

/// A control plane on a folder of its own.
pub(crate) struct Program {
    folder: TempDir,
    child: Child,
    log: Lines<BufReader<ChildStderr>>,
    pub(crate) metrics: SocketAddr,
}

impl Program {
    /// Starts one with these files, and these flags beside the usual ones.
    pub(crate) async fn start(files: &[(&str, &str)], flags: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("files")).unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join("files").join(name), text).unwrap();
        }
        let mut child = command(folder.path(), flags).spawn().unwrap();
        let stderr = child.stderr.take().unwrap();
        let mut program = Self {
            folder,
            child,
            log: BufReader::new(stderr).lines(),
            metrics: SocketAddr::from(([127, 0, 0, 1], 0)),
        };
        program.metrics = program.logged("metrics are served").await;
        program
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Waits for the log line with this message and returns the address in it.
    async fn logged(&mut self, message: &str) -> SocketAddr {
        let read = async {
            while let Some(line) = self.log.next_line().await.unwrap() {
                let line: serde_json::Value = serde_json::from_str(&line).unwrap();
                if line["fields"]["message"] == message {
                    return line["fields"]["address"].as_str().unwrap().parse().unwrap();
                }
            }
            panic!("the log ended before {message:?}");
        };
        soon(message, read).await
    }

    /// Returns the status and the body of this path.
    pub(crate) async fn get(&self, path: &str) -> (u16, String) {
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        let response = exchange(self.metrics, request.as_bytes()).await;
        let (head, body) = response.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, body.to_owned())
    }

    /// Waits until this metric, with its labels, has a value that satisfies the condition.
    pub(crate) async fn metric(&self, name: &str, condition: impl Fn(u64) -> bool) {
        until(name, async || {
            let (_, body) = self.get("/metrics").await;
            let value = body.lines().find_map(|line| line.strip_prefix(name));
            let value = value?.trim().parse().unwrap();
            condition(value).then_some(())
        })
        .await;
    }

    pub(crate) async fn ready(&self) {
        until("ready", async || {
            (self.get("/readyz").await.0 == 200).then_some(())
        })
        .await;
    }

    /// Tells it to end, and returns how it did.
    pub(crate) async fn end(&mut self, signal: Signal) -> ExitStatus {
        let pid = i32::try_from(self.child.id().unwrap()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
        soon("its end", self.child.wait()).await.unwrap()
    }
}

/// Sends these bytes and returns all that comes back.
pub(crate) async fn exchange(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut response = Vec::new();
    // What it does not want to read it may answer with a reset.
    let _ = soon("a response", stream.read_to_end(&mut response)).await;
    String::from_utf8_lossy(&response).into_owned()
}

/// Returns how to start one in this folder, with the usual flags where `flags` has no others. It dies with its handle.
pub(crate) fn command(folder: &Path, flags: &[&str]) -> Command {
    let files = folder.join("files");
    let identity = folder.join("identity");
    let usual = [
        ("--source", "files"),
        ("--files", files.to_str().unwrap()),
        ("--identity-dir", identity.to_str().unwrap()),
        ("--stream-address", "127.0.0.1:0"),
        ("--introspection-address", "127.0.0.1:0"),
        ("--metrics-address", "127.0.0.1:0"),
        ("--log-format", "json"),
    ];
    let mut command = Command::new(env!("CARGO_BIN_EXE_sluice-control-plane"));
    for (flag, value) in usual {
        if !flags.contains(&flag) {
            command.args([flag, value]);
        }
    }
    command
        .args(flags)
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}
