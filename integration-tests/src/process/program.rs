//! How to start a program: what it is, where it runs, what it is told.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context as _;

use super::log::Log;
use super::{Process, spawn};
use crate::namespace::Namespace;

/// How to start a program; it can be started again after it has ended.
#[derive(Clone, Debug)]
pub struct Program {
    name: String,
    path: PathBuf,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    namespace: Option<PathBuf>,
    log: Log,
}

impl Program {
    /// A program by its path; its output is appended to `logs/NAME.log`, also when it is started
    /// again.
    pub fn new(name: &str, path: impl Into<PathBuf>, logs: &Path) -> Self {
        Self {
            name: name.to_owned(),
            path: path.into(),
            arguments: Vec::new(),
            environment: Vec::new(),
            namespace: None,
            log: Log::new(logs.join(format!("{name}.log"))),
        }
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Sets an environment variable. Only `PATH`, `TMPDIR`, `RUST_LOG` and `RUST_BACKTRACE` are
    /// inherited: whoever runs the tests may have a proxy, a kubeconfig or settings of Sluice's own
    /// in their environment.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Sets several.
    #[must_use]
    pub fn envs<N: Into<OsString>, V: Into<OsString>>(
        mut self,
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        self.environment.extend(
            variables
                .into_iter()
                .map(|(name, value)| (name.into(), value.into())),
        );
        self
    }

    /// Lets it run in this network namespace. The namespace ends what still runs inside when it is
    /// dropped.
    #[must_use]
    pub fn inside(mut self, namespace: &Namespace) -> Self {
        self.namespace = Some(namespace.path());
        self
    }

    /// Starts it. That it runs does not mean that it is ready: wait for a level.
    pub fn start(&self) -> anyhow::Result<Process> {
        let (output, errors) = self.log.open()?;
        let mut command = self.command();
        command.stdin(Stdio::null()).stdout(output).stderr(errors);
        let child = spawn::from_lasting_thread(command).with_context(|| {
            format!(
                "cannot start {} ({}); setpriv and nsenter come with Debian's util-linux",
                self.name,
                self.path.display()
            )
        })?;
        Process::new(self.name.clone(), child, self.log.clone())
    }

    /// The command line: `nsenter` and `setpriv` each replace themselves by what follows, so the
    /// child's id is the program's.
    fn command(&self) -> Command {
        let mut words: Vec<OsString> = Vec::new();
        if let Some(namespace) = &self.namespace {
            let mut net = OsString::from("--net=");
            net.push(namespace);
            words.extend(["nsenter".into(), net]);
        }
        words.extend(["setpriv", "--pdeathsig", "KILL", "--"].map(OsString::from));
        words.push(self.path.clone().into_os_string());
        words.extend(self.arguments.iter().cloned());

        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).env_clear();
        for name in INHERITED {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }
}

const INHERITED: [&str; 4] = ["PATH", "TMPDIR", "RUST_LOG", "RUST_BACKTRACE"];
