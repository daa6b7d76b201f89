//! The program: it serves, shows an edit, works as it says, and leaves nothing.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use futures_util::{SinkExt as _, StreamExt as _};
use rustix::process::{Pid, Signal, kill_process};
use sluice_integration_tests::client::{Destination, fetch};
use sluice_integration_tests::demo::Addresses;
use sluice_integration_tests::process::{Process, Program};
use sluice_integration_tests::system::{require_backend, require_refused};
use sluice_integration_tests::wait;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

#[tokio::test(flavor = "multi_thread")]
async fn it_serves_shows_an_edit_and_leaves_nothing() {
    let mut demo = Running::start(21080).await.unwrap();
    for node in 1..=3 {
        for (host, backend) in HOSTS {
            require_backend(&demo.ask(node, host).await.unwrap(), backend).unwrap();
        }
        require_refused(&demo.ask(node, "nobody.example.com").await.unwrap(), 404).unwrap();
    }
    demo.websocket().await.unwrap();

    let ingresses = demo.objects().join("ingresses.yaml");
    let edited = fs::read_to_string(&ingresses)
        .unwrap()
        .replace("admin.myhoneydue.com", "office.myhoneydue.com");
    fs::write(&ingresses, edited).unwrap();
    for node in 1..=3 {
        demo.wait_for(node, "office.myhoneydue.com", "admin-")
            .await
            .unwrap();
        require_refused(&demo.ask(node, "admin.myhoneydue.com").await.unwrap(), 404).unwrap();
    }

    let children = demo.children().unwrap();
    // Three data planes, the control plane, three pods and one.
    assert_eq!(children.len(), 8, "{children:?}");
    demo.signal(Signal::INT).unwrap();
    let ended = demo.process.wait(Duration::from_secs(10)).unwrap();
    assert!(
        ended.expect("it ends within seconds").success(),
        "{}",
        demo.process.last_lines()
    );
    assert!(!children.iter().any(|child| runs(*child)));
    assert_eq!(demo.left_behind(), Vec::<PathBuf>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_that_it_prints_works() {
    let demo = Running::start(22080).await.unwrap();
    let guide = demo.process.log().unwrap();
    let commands: Vec<&str> = guide
        .lines()
        .filter_map(|line| line.strip_prefix("  "))
        .collect();
    let mut answered = Vec::new();
    for command in commands
        .iter()
        .filter(|command| command.starts_with("curl "))
    {
        let said = shell(&format!("{command} --silent --show-error --max-time 10")).unwrap();
        answered.push(said);
    }
    let expected = [
        "\"name\": \"api-",
        "\"name\": \"api-",
        "\"name\": \"admin-1\"",
        "\"name\": \"api-",
        "HTTP/1.1 404 Not Found",
        "line 0\nline 1\nline 2\nline 3\nline 4\n",
        "there and back",
        "# HELP",
        "# HELP",
    ];
    assert_eq!(answered.len(), expected.len(), "{commands:#?}");
    for (said, expected) in answered.iter().zip(expected) {
        assert!(said.contains(expected), "no {expected:?} in {said}");
    }
    let grpcurl = commands
        .iter()
        .filter(|command| command.starts_with("grpcurl "));
    let tools = sluice_integration_tests::kubernetes_tools::KubernetesTools::find().unwrap();
    let program = tools.program("grpcurl").unwrap();
    let mut said = Vec::new();
    for command in grpcurl {
        said.push(shell(&command.replacen("grpcurl", program.to_str().unwrap(), 1)).unwrap());
    }
    assert_eq!(said.len(), 4, "{commands:#?}");
    assert!(said[0].contains("sluice.v1.Introspection"), "{}", said[0]);
    assert!(said[1].contains("is live on 3 of 3 nodes"), "{}", said[1]);
    assert!(said[3].contains("honeydue/api:8000"), "{}", said[3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_it_takes_everything_with_it_and_the_next_one_cleans_up() {
    let mut demo = Running::start(23080).await.unwrap();
    let children = demo.children().unwrap();
    assert_eq!(children.len(), 8, "{children:?}");
    demo.process.kill().unwrap();
    wait::until("its programs to end", LIMIT, async || {
        let left: Vec<_> = children.iter().filter(|child| runs(**child)).collect();
        if left.is_empty() {
            Ok(())
        } else {
            Err(format!("{left:?} still run"))
        }
    })
    .await
    .unwrap();
    assert_eq!(
        demo.left_behind().len(),
        1,
        "nobody was there to remove its folder"
    );

    let mut next = demo.again().await.unwrap();
    assert_eq!(
        next.left_behind().len(),
        1,
        "its own, and not the abandoned one"
    );
    next.signal(Signal::TERM).unwrap();
    assert!(
        next.process
            .wait(Duration::from_secs(10))
            .unwrap()
            .unwrap()
            .success()
    );
    assert_eq!(next.left_behind(), Vec::<PathBuf>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_is_named() {
    let taken = TcpListener::bind("127.0.0.1:24082").unwrap();
    let error = format!(
        "{:#}",
        Running::start(24080).await.err().expect("it cannot start")
    );
    for part in ["127.0.0.1:24082", "HTTP of node-2", "--base-port"] {
        assert!(error.contains(part), "no {part} in {error}");
    }
    drop(taken);
}

/// The program, in a folder of its own for temporary files.
struct Running {
    process: Process,
    program: Program,
    addresses: Addresses,
    temporary: TempDir,
}

impl Running {
    async fn start(base: u16) -> anyhow::Result<Self> {
        let temporary = tempfile::tempdir()?;
        let logs = temporary.path().join("logs");
        let files = temporary.path().join("tmp");
        fs::create_dir(&files)?;
        let program = Program::new("sluice-demo", env!("CARGO_BIN_EXE_sluice-demo"), &logs)
            // It runs cargo, which has its own needs.
            .envs(std::env::vars_os())
            .env("TMPDIR", files)
            .arg(format!("--base-port={base}"));
        let process = program.start()?;
        let running = Self {
            process,
            program,
            addresses: Addresses::from_base(base)?,
            temporary,
        };
        running.until_it_serves().await
    }

    async fn again(self) -> anyhow::Result<Self> {
        fs::remove_dir_all(self.temporary.path().join("logs"))?;
        Self {
            process: self.program.start()?,
            ..self
        }
        .until_it_serves()
        .await
    }

    async fn until_it_serves(mut self) -> anyhow::Result<Self> {
        let log = self.temporary.path().join("logs/sluice-demo.log");
        self.process
            .wait_until("the demonstration to serve", WITH_BUILD, async || {
                let said = fs::read_to_string(&log)?;
                ensure!(
                    said.contains("Ctrl-C ends everything"),
                    "it has not said so"
                );
                Ok::<_, anyhow::Error>(())
            })
            .await?;
        Ok(self)
    }

    async fn ask(
        &self,
        node: u8,
        host: &str,
    ) -> anyhow::Result<sluice_integration_tests::client::Answer> {
        let address = self.addresses.http(node);
        let destination = Destination {
            address,
            tls: None,
            host: host.to_owned(),
            path: "/".to_owned(),
        };
        Ok(fetch(&destination).await?)
    }

    async fn wait_for(&self, node: u8, host: &str, backend: &str) -> anyhow::Result<()> {
        let moment = Duration::from_secs(5);
        wait::until(host, moment, async || {
            require_backend(&self.ask(node, host).await?, backend)
        })
        .await
    }

    /// A message there and back, through node 1.
    async fn websocket(&self) -> anyhow::Result<()> {
        let stream = TcpStream::connect(self.addresses.http(1)).await?;
        let request = "ws://api.myhoneydue.com/".into_client_request()?;
        let (mut socket, _) = tokio_tungstenite::client_async(request, stream).await?;
        socket.send(Message::text("hello")).await?;
        let answer = socket.next().await.context("the socket ended")??;
        ensure!(answer == Message::text("hello"), "{answer:?}");
        Ok(socket.close(None).await?)
    }

    /// The folder that it says may be edited.
    fn objects(&self) -> PathBuf {
        self.left_behind().remove(0).join("objects")
    }

    /// What is in its folder for temporary files.
    fn left_behind(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.temporary.path().join("tmp")).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    fn children(&self) -> anyhow::Result<Vec<u32>> {
        let mut children = Vec::new();
        for entry in fs::read_dir("/proc")? {
            let Ok(id) = entry?.file_name().to_string_lossy().parse::<u32>() else {
                continue;
            };
            if parent(id) == Some(self.process.id()) {
                children.push(id);
            }
        }
        Ok(children)
    }

    fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let id = i32::try_from(self.process.id())?;
        Ok(kill_process(
            Pid::from_raw(id).context("no process")?,
            signal,
        )?)
    }
}

/// The parent of a process that runs.
fn parent(id: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("PPid:"))?;
    line.trim().parse().ok()
}

fn runs(id: u32) -> bool {
    Path::new(&format!("/proc/{id}")).exists()
}

fn shell(command: &str) -> anyhow::Result<String> {
    let ran = std::process::Command::new("/bin/sh")
        .args(["-c", command])
        .output()?;
    let (said, complained) = (
        String::from_utf8(ran.stdout)?,
        String::from_utf8(ran.stderr)?,
    );
    ensure!(
        ran.status.success(),
        "{command}: {complained}{said}; is curl installed?"
    );
    Ok(said)
}

const HOSTS: [(&str, &str); 3] = [
    ("api.myhoneydue.com", "api-"),
    ("myhoneydue.com", "api-"),
    ("admin.myhoneydue.com", "admin-"),
];
const LIMIT: Duration = Duration::from_secs(30);
/// The programs may have to be built first.
const WITH_BUILD: Duration = Duration::from_secs(900);
