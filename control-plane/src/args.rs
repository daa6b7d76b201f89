//! What the program is told on its command line or by its environment.
//!
//! It does not contain what can change while the program runs: that is in the settings file (`settings.rs`).

use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

use crate::check::CheckArgs;
use crate::renew::RenewArgs;

/// Watches Ingresses and what they name, and streams snapshots to the data planes.
///
/// Ends cleanly on SIGTERM and SIGINT.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "sluice-control-plane",
    version,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true
)]
pub struct Args {
    /// What to do; to run, if no command is there.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// Where Kubernetes objects come from.
    #[arg(
        long,
        env = "SLUICE_SOURCE",
        value_name = "SOURCE",
        default_value = "kube"
    )]
    pub source: SourceKind,

    /// The folder of YAML and JSON files that `--source files` watches, with its subfolders.
    #[arg(
        long,
        env = "SLUICE_FILES",
        value_name = "DIR",
        required_if_eq("source", "files")
    )]
    pub files: Option<PathBuf>,

    /// The kubeconfig file of `--source kube` (several may be separated by a colon). Without it, the service account of
    /// the pod is used; outside a cluster, ~/.kube/config.
    #[arg(long, env = "KUBECONFIG", value_name = "FILE", global = true)]
    pub kubeconfig: Option<OsString>,

    /// The namespace of the control plane itself, where its Lease is: several replicas agree by it on who leads. Without
    /// it, and with `--source files`, this one always leads. Its identity is kept there, too, in a Secret, if
    /// `--identity-dir` is not given.
    #[arg(
        long,
        env = "SLUICE_NAMESPACE",
        value_name = "NAMESPACE",
        global = true
    )]
    pub namespace: Option<String>,

    /// The name of this replica's pod, which no other has; with `--namespace`, the host name by default.
    #[arg(long, env = "SLUICE_POD", value_name = "NAME")]
    pub pod: Option<String>,

    /// The IP address of this replica's pod. While it leads, the others send data planes there; without it, whoever a
    /// data plane reaches serves it.
    #[arg(long, env = "SLUICE_POD_ADDRESS", value_name = "IP")]
    pub pod_address: Option<IpAddr>,

    /// The YAML file of settings for the whole edge. It is watched: a change needs no restart.
    #[arg(long, env = "SLUICE_SETTINGS", value_name = "FILE", global = true)]
    pub settings: Option<PathBuf>,

    /// The data planes' namespace, where the Secret is that they mount. Default: that of --namespace.
    #[arg(
        long,
        env = "SLUICE_DATA_PLANE_NAMESPACE",
        value_name = "NAMESPACE",
        global = true
    )]
    pub data_plane_namespace: Option<String>,

    /// Keeps the certificate authority and the certificates of both planes in this folder, and not in Secrets. What is
    /// missing is made.
    #[arg(long, env = "SLUICE_IDENTITY_DIR", value_name = "DIR", global = true)]
    pub identity_dir: Option<PathBuf>,

    /// Where data planes connect (gRPC over mutual TLS).
    #[arg(
        long,
        env = "SLUICE_STREAM_ADDRESS",
        value_name = "ADDR",
        default_value = "[::]:8443"
    )]
    pub stream_address: SocketAddr,

    /// Where people look inside (gRPC in clear, with reflection): keep it on loopback.
    #[arg(
        long,
        env = "SLUICE_INTROSPECTION_ADDRESS",
        value_name = "ADDR",
        default_value = "127.0.0.1:8444"
    )]
    pub introspection_address: SocketAddr,

    /// Where /metrics, /healthz and /readyz are served (HTTP in clear).
    #[arg(
        long,
        env = "SLUICE_METRICS_ADDRESS",
        value_name = "ADDR",
        default_value = "[::]:8445"
    )]
    pub metrics_address: SocketAddr,

    /// What is logged: a level, or `target=level` pairs separated by commas.
    #[arg(
        long,
        env = "SLUICE_LOG",
        value_name = "FILTER",
        default_value = "info",
        global = true
    )]
    pub log: String,

    /// How it is logged, to standard error.
    #[arg(
        long,
        env = "SLUICE_LOG_FORMAT",
        value_name = "FORMAT",
        default_value = "text"
    )]
    pub log_format: LogFormat,
}

/// What to do instead of running.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Show what Sluice would serve of Kubernetes objects in files, and what is wrong with them, without a cluster.
    ///
    /// Ends with 0 if nothing is wrong, with 1 if there are problems, and with 2 if the objects cannot be read.
    Check(CheckArgs),
    /// Take away what Sluice wrote to the status of Ingresses: before it is uninstalled.
    ClearStatus,
    /// Renew what proves who the planes are, before it is due. Running control planes go on with it by themselves.
    Renew(RenewArgs),
}

/// Where Kubernetes objects come from.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum SourceKind {
    /// A Kubernetes API server.
    Kube,
    /// A folder of YAML files.
    Files,
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use clap::CommandFactory;

    use super::*;

    #[test]
    fn every_flag_has_an_environment_variable_and_is_in_the_help() {
        let mut command = Args::command();
        command.clone().debug_assert();
        let help = command.render_long_help().to_string();
        for argument in command.get_arguments() {
            if ["help", "version"].contains(&argument.get_id().as_str()) {
                continue;
            }
            let flag = format!("--{}", argument.get_long().unwrap());
            let variable = argument.get_env().unwrap().to_str().unwrap();
            let expected = format!("SLUICE_{}", argument.get_id().as_str().to_ascii_uppercase());
            assert!(
                variable == expected || (flag == "--kubeconfig" && variable == "KUBECONFIG"),
                "{flag} has {variable}"
            );
            assert!(help.contains(&flag) && help.contains(variable), "{flag}");
            assert!(argument.get_help().is_some(), "{flag} says what it is");
        }
    }

    #[test]
    fn a_command_needs_nothing_that_running_needs() {
        let parse =
            |more: &[&str]| Args::try_parse_from(["sluice-control-plane"].iter().chain(more));
        let args = parse(&["clear-status", "--namespace=n", "--kubeconfig=k"]).unwrap();
        assert!(matches!(args.command, Some(Command::ClearStatus)));
        assert_eq!(args.namespace.as_deref(), Some("n"));
        assert!(
            parse(&["--stream-address=[::]:1", "clear-status"]).is_err(),
            "it does not run"
        );
    }

    #[test]
    fn the_files_source_needs_a_folder() {
        let parse = |more: &[&str]| {
            let fixed = ["sluice-control-plane", "--identity-dir", "i"];
            Args::try_parse_from(fixed.iter().chain(more))
        };
        assert!(parse(&[]).is_ok());
        assert!(parse(&["--source", "files", "--files", "f"]).is_ok());
        let error = parse(&["--source", "files"]).unwrap_err().to_string();
        assert!(error.contains("--files"), "{error}");
    }

    #[test]
    fn a_command_is_told_where_the_identity_is() {
        let parse =
            |more: &[&str]| Args::try_parse_from(["sluice-control-plane"].iter().chain(more));
        let args = parse(&["renew", "authority", "--overlap=30s", "--namespace=n"]).unwrap();
        assert_eq!(args.namespace.as_deref(), Some("n"));
        assert!(matches!(args.command, Some(Command::Renew(_))));
        let error = parse(&["--stream-address=[::]:1", "renew", "seal"]);
        assert!(error.is_err(), "it does not run");
        let error = parse(&["renew", "authority", "--overlap=soon"]).unwrap_err();
        assert!(error.to_string().contains("--overlap"), "{error}");
    }
}
