//! The real program, as a child that ends with the test.

use std::fs::OpenOptions;
use std::path::Path;
use std::process::{ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

use super::{Site, within};

/// A running data plane; dropping it kills it.
pub(crate) struct DataPlane(Child);

impl DataPlane {
    pub(super) fn start(site: &Site, state: &Path, arguments: &[&str]) -> Self {
        Self::start_as(lasting(), site, state, arguments)
    }

    /// Starts it in a network namespace of its own, where 192.0.2.1 is its only address but for loopback.
    pub(super) fn start_alone(site: &Site, state: &Path, arguments: &[&str]) -> Self {
        let script = "ip link set lo up && ip addr add 192.0.2.1/32 dev lo && exec \"$0\" \"$@\"";
        let mut command = Command::new("unshare");
        command.args([
            "--map-root-user",
            "--net",
            "--",
            "sh",
            "-c",
            script,
            PROGRAM,
        ]);
        without_surroundings(&mut command);
        Self::start_as(command, site, state, arguments)
    }

    fn start_as(mut command: Command, site: &Site, state: &Path, arguments: &[&str]) -> Self {
        let listen = format!("http={},https={}", site.http(), site.https());
        for (flag, value) in [("--listen", &*listen), ("--cores", "1")] {
            if !arguments.contains(&flag) {
                command.args([flag, value]);
            }
        }
        command
            .args(["--node", "node-a"])
            .arg("--control-plane")
            .arg(site.stream().to_string())
            .arg("--identity-dir")
            .arg(site.identity())
            .arg("--state-dir")
            .arg(state)
            .args(arguments);
        Self::spawn(site, command)
    }

    /// Starts it with no flag and these variables.
    pub(crate) fn start_in(site: &Site, environment: &[(&str, String)]) -> Self {
        let mut command = lasting();
        for (name, value) in environment {
            command.env(name, value);
        }
        Self::spawn(site, command)
    }

    fn spawn(site: &Site, mut command: Command) -> Self {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(site.log_file())
            .unwrap();
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .expect("setpriv is needed; install util-linux");
        Self(child)
    }

    /// Sends this signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let id = self.0.id().expect("it runs");
        let id = Pid::from_raw(id.try_into().unwrap()).unwrap();
        kill_process(id, signal).unwrap();
    }

    /// Returns how many bytes of memory it uses.
    pub(crate) fn memory(&self) -> u64 {
        let id = self.0.id().expect("it runs");
        let statm = std::fs::read_to_string(format!("/proc/{id}/statm")).unwrap();
        let pages: u64 = statm.split(' ').nth(1).unwrap().parse().unwrap();
        pages * rustix::param::page_size() as u64
    }

    /// Asks for its metrics at port 9090 of this address in its network namespace; returns all that is answered.
    pub(crate) async fn asked_for_metrics(&self, ip: &str) -> String {
        let id = self.0.id().expect("it runs").to_string();
        let script = "exec 3<>/dev/tcp/$0/9090 && printf 'GET /metrics HTTP/1.1\\r\\nHost: a\\r\\nConnection: close\\r\\n\\r\\n' >&3; cat <&3";
        let mut command = Command::new("nsenter");
        command.args([
            "--target",
            &id,
            "--user",
            "--net",
            "--preserve-credentials",
            "--",
            "bash",
            "-c",
            script,
            ip,
        ]);
        let asked = within("bash's end", command.output()).await;
        let asked = asked.expect("nsenter is needed; install util-linux");
        String::from_utf8_lossy(&asked.stdout).into_owned()
    }

    /// Waits for its end.
    pub(crate) async fn ended(mut self) -> ExitStatus {
        within("the end of the data plane", self.0.wait())
            .await
            .unwrap()
    }

    /// Ends it so and waits for its end.
    pub(crate) async fn end(self, signal: Signal) -> ExitStatus {
        self.signal(signal);
        self.ended().await
    }
}

// `setpriv` becomes the program; the kernel then kills it even if this process is killed.
fn lasting() -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--", PROGRAM]);
    without_surroundings(&mut command);
    command
}

/// Returns the program, without arguments.
pub(super) fn program() -> Command {
    let mut command = Command::new(PROGRAM);
    without_surroundings(&mut command).kill_on_drop(true);
    command
}

// Whoever runs the tests may have settings of Sluice's in their environment.
fn without_surroundings(command: &mut Command) -> &mut Command {
    let names = std::env::vars_os().map(|(name, _)| name);
    for name in names.filter(|name| name.to_string_lossy().starts_with("SLUICE_")) {
        command.env_remove(name);
    }
    command
}

const PROGRAM: &str = env!("CARGO_BIN_EXE_sluice-data-plane");
