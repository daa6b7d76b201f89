//! Sluice's own programs, built as they are in the working copy by the cargo that runs this very program. Those of
//! Kubernetes are in [`crate::kubernetes_tools`].

use std::env;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use anyhow::{Context as _, anyhow, ensure};
use serde::Deserialize;

/// The programs' paths.
#[derive(Clone, Debug, Default)]
pub struct Programs {
    /// `sluice-control-plane`.
    pub control_plane: PathBuf,
    /// `sluice-data-plane`.
    pub data_plane: PathBuf,
    /// `sluice-echo`.
    pub echo: PathBuf,
}

impl Programs {
    /// Builds what is missing or out of date, with the progress on the standard error.
    pub fn build() -> anyhow::Result<Self> {
        let mut cargo = cargo();
        cargo.args(["build", "--message-format=json-render-diagnostics"]);
        for (package, program) in PROGRAMS {
            cargo.args(["--package", package, "--bin", program]);
        }
        let mut running = cargo
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start cargo")?;
        let output = running.stdout.take().context("cargo has no output")?;
        let mut programs = Self::default();
        for line in BufReader::new(output).lines() {
            let message: Message =
                serde_json::from_str(&line?).context("cargo says what is no message")?;
            if let (Some(target), Some(executable)) = (message.target, message.executable) {
                programs.found(&target.name, executable);
            }
        }
        ensure!(
            running.wait()?.success(),
            "Sluice's programs could not be built; cargo says why above"
        );
        for path in [
            &programs.control_plane,
            &programs.data_plane,
            &programs.echo,
        ] {
            ensure!(
                path.is_file(),
                "cargo built no program for one of {PROGRAMS:?}"
            );
        }
        Ok(programs)
    }

    /// As [`Programs::build`], but once in the life of this process.
    pub fn built_once() -> anyhow::Result<&'static Self> {
        static BUILT: OnceLock<Result<Programs, String>> = OnceLock::new();
        let built = BUILT.get_or_init(|| Self::build().map_err(|error| format!("{error:#}")));
        built.as_ref().map_err(|error| anyhow!("{error}"))
    }

    /// Those of Sluice as users run them, out of the images; the echo server as [`Programs::built_once`] has it.
    pub fn of_images() -> anyhow::Result<Self> {
        build_images()?;
        let this = env::current_exe().context("this program has no path")?;
        let target = this
            .ancestors()
            .nth(2)
            .context("cargo did not build this program")?;
        let folder = target
            .join(format!("{}-unknown-linux-gnu", env::consts::ARCH))
            .join("image");
        Ok(Self {
            control_plane: folder.join("sluice-control-plane"),
            data_plane: folder.join("sluice-data-plane"),
            echo: Self::built_once()?.echo.clone(),
        })
    }

    fn found(&mut self, name: &str, executable: PathBuf) {
        match name {
            "sluice-control-plane" => self.control_plane = executable,
            "sluice-data-plane" => self.data_plane = executable,
            "sluice-echo" => self.echo = executable,
            _ => {}
        }
    }
}

/// Makes the images of Sluice as a user would, and returns the folder of their archives.
pub fn build_images() -> anyhow::Result<PathBuf> {
    eprintln!("building the images (minutes the first time)");
    let output = repository().join("target/images");
    let script = repository().join("images/build");
    run(Command::new(script).arg("--output").arg(&output))?;
    Ok(output)
}

/// Runs a command to its end, and fails if it does.
pub fn run(command: &mut Command) -> anyhow::Result<()> {
    let status = command
        .status()
        .with_context(|| format!("cannot run {command:?}"))?;
    ensure!(status.success(), "{command:?} failed ({status})");
    Ok(())
}

/// A line of cargo's, as far as it is of interest.
#[derive(Deserialize)]
struct Message {
    target: Option<Target>,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

fn cargo() -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(repository());
    // What cargo tells the program that it runs about its package would look like settings of the build here, and
    // rebuild what asks for them.
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"]
            .iter()
            .any(|prefix| text.starts_with(prefix))
        {
            cargo.env_remove(&name);
        }
    }
    cargo
}

/// The root of the repository that this program was built from.
#[must_use]
pub fn repository() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package)
}

const PROGRAMS: [(&str, &str); 3] = [
    ("sluice-control-plane", "sluice-control-plane"),
    ("sluice-data-plane", "sluice-data-plane"),
    ("sluice-integration-tests", "sluice-echo"),
];
