//! What the program is told on its command line or by its environment.
//!
//! It does not contain what the control plane decides: that comes over the stream.

use std::net::{IpAddr, SocketAddr};
use std::num::{NonZeroU64, NonZeroUsize};
use std::path::PathBuf;
use std::str::FromStr;

use clap::{ArgMatches, Args as _, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use ipnet::IpNet;

/// What the program is told.
#[derive(Clone, Debug)]
pub struct Args {
    /// What to do; to run, if no command is there.
    pub command: Command,
}

// By hand, because the environment of a pod is there for its probes, too: what is set of it for the one that runs must
// not make `ready` ask for the rest.
impl FromArgMatches for Args {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let command = match matches.subcommand() {
            Some(_) => Command::from_arg_matches(matches)?,
            None => Command::Run(RunArgs::from_arg_matches(matches)?),
        };
        Ok(Self { command })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl CommandFactory for Args {
    fn command() -> clap::Command {
        let command = clap::Command::new("sluice-data-plane")
            .version(env!("CARGO_PKG_VERSION"))
            .args_conflicts_with_subcommands(true)
            .subcommand_negates_reqs(true);
        Command::augment_subcommands(RunArgs::augment_args(command))
            .about(ABOUT)
            .long_about(format!("{ABOUT}\n\n{MORE}"))
    }

    fn command_for_update() -> clap::Command {
        Self::command()
    }
}

impl Parser for Args {}

/// What to do.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Serve until SIGTERM or SIGINT (as without a command).
    Run(RunArgs),
    /// Exit with 0 if it serves, and else with 1 and the reason: a readiness probe.
    Ready(AdminArgs),
    /// Exit with 0 if all of its threads are alive, and else with 1: a liveness probe.
    Live(AdminArgs),
    /// Print how it is, as JSON.
    Status(AdminArgs),
    /// Print its metrics in the OpenMetrics text format.
    Metrics(AdminArgs),
}

/// How to run.
#[derive(Clone, Debug, clap::Args)]
pub struct RunArgs {
    /// The name of the Kubernetes node that it runs on.
    #[arg(long, env = "SLUICE_NODE", value_name = "NAME")]
    pub node: String,

    /// Where the control plane's stream is. All addresses that the name resolves to are tried.
    #[arg(long, env = "SLUICE_CONTROL_PLANE", value_name = "HOST:PORT", value_parser = host_and_port)]
    pub control_plane: String,

    /// The folder that the control plane made for data planes: installation.id, ca.crt, tls.crt, tls.key and seal.key.
    #[arg(long, env = "SLUICE_IDENTITY_DIR", value_name = "DIR")]
    pub identity_dir: PathBuf,

    /// The folder of the copy of the last snapshot, from which it serves after a restart while the control plane is away.
    /// It is made if it is not there.
    #[arg(long, env = "SLUICE_STATE_DIR", value_name = "DIR")]
    pub state_dir: PathBuf,

    /// The unix socket that the other commands ask. Default: admin.sock in the state folder.
    #[arg(long, env = "SLUICE_ADMIN_SOCKET", value_name = "PATH")]
    pub admin_socket: Option<PathBuf>,

    /// Binds the listener of this name here, and not at the address that the control plane sends; port 0 takes a free
    /// one. Several are separated by commas, or the flag is repeated.
    #[arg(
        long,
        env = "SLUICE_LISTEN",
        value_name = "NAME=ADDR",
        value_delimiter = ','
    )]
    pub listen: Vec<ListenOverride>,

    /// Where GET /metrics is answered over HTTP, in clear. Nowhere by default: on the host network, that is the world.
    #[arg(long, env = "SLUICE_METRICS_ADDRESS", value_name = "ADDR")]
    pub metrics_address: Option<SocketAddr>,

    /// Whether the listening sockets go from one process of the node to the next without a gap, over an abstract unix
    /// socket.
    #[arg(
        long,
        env = "SLUICE_HAND_OVER",
        value_name = "WHETHER",
        default_value = "on"
    )]
    pub hand_over: OnOff,

    /// An address or a range of this node that names which users write (external names, services that are asked whether a
    /// request may pass) may resolve to. Default: none, for there is more behind them than was meant for strangers. Several
    /// are separated by commas, or the flag is repeated.
    #[arg(
        long,
        env = "SLUICE_REACHABLE",
        value_name = "RANGE",
        value_delimiter = ',',
        value_parser = range
    )]
    pub reachable: Vec<IpNet>,

    /// How many cores serve. Default: all that this process may use.
    #[arg(long, env = "SLUICE_CORES", value_name = "N")]
    pub cores: Option<NonZeroUsize>,

    /// How much memory it may use, in bytes: the limit of its container. Before that is used up, it ends connections that
    /// wait for their clients. Default: no limit, and nothing is ended.
    #[arg(long, env = "SLUICE_MEMORY_LIMIT", value_name = "BYTES")]
    pub memory_limit: Option<NonZeroU64>,

    /// What is logged: a level, or `target=level` pairs separated by commas.
    #[arg(
        long,
        env = "SLUICE_LOG",
        value_name = "FILTER",
        default_value = "info"
    )]
    pub log: String,

    /// How it is logged, to standard error. The access log is JSON on standard output.
    #[arg(
        long,
        env = "SLUICE_LOG_FORMAT",
        value_name = "FORMAT",
        default_value = "text"
    )]
    pub log_format: LogFormat,
}

impl RunArgs {
    /// Returns where the admin socket is.
    #[must_use]
    pub fn admin_socket(&self) -> PathBuf {
        let default = || self.state_dir.join(ADMIN_SOCKET);
        self.admin_socket.clone().unwrap_or_else(default)
    }
}

/// Whom to ask.
#[derive(Clone, Debug, clap::Args)]
pub struct AdminArgs {
    /// The unix socket of the one that runs. Default: admin.sock in the state folder.
    #[arg(
        long,
        env = "SLUICE_ADMIN_SOCKET",
        value_name = "PATH",
        required_unless_present = "state_dir"
    )]
    admin_socket: Option<PathBuf>,

    /// The state folder of the one that runs.
    #[arg(long, env = "SLUICE_STATE_DIR", value_name = "DIR")]
    state_dir: Option<PathBuf>,
}

impl AdminArgs {
    /// Returns where the admin socket is.
    #[must_use]
    pub fn admin_socket(&self) -> PathBuf {
        let of_state = || {
            self.state_dir
                .clone()
                .unwrap_or_default()
                .join(ADMIN_SOCKET)
        };
        self.admin_socket.clone().unwrap_or_else(of_state)
    }
}

/// Where to bind a listener instead of at the address that the control plane sends.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ListenOverride {
    /// The listener's name.
    pub name: String,
    /// Where to bind it.
    pub address: SocketAddr,
}

impl FromStr for ListenOverride {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.split_once('=').and_then(|(name, address)| {
            Some(Self {
                name: name.to_owned(),
                address: address.parse().ok()?,
            })
        });
        parsed
            .filter(|listen| !listen.name.is_empty())
            .ok_or_else(|| "expected NAME=IP:PORT, such as http=127.0.0.1:8080".to_owned())
    }
}

/// Whether something is done.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum OnOff {
    /// It is.
    On,
    /// It is not.
    Off,
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

const ADMIN_SOCKET: &str = "admin.sock";
const ABOUT: &str = "Proxies the traffic of one node by the snapshot that the control plane sends";
const MORE: &str = "Without a command it runs, until SIGTERM or SIGINT: then it finishes what is in flight and ends. The \
                    commands ask the one that runs, over its admin socket.";

fn range(text: &str) -> Result<IpNet, String> {
    let address = || text.parse::<IpAddr>().map(IpNet::from);
    let range = text.parse().or_else(|_| address());
    range.map_err(|_| "expected an address or a range, such as 10.0.0.0/8".to_owned())
}

fn host_and_port(text: &str) -> Result<String, String> {
    let split = text.rsplit_once(':');
    let is_good = split.is_some_and(|(host, port)| {
        let is_bracketed = host.starts_with('[') && host.ends_with(']');
        let is_host = !host.is_empty() && (is_bracketed || !host.contains(':'));
        is_host && port.parse::<u16>().is_ok_and(|port| port > 0)
    });
    if is_good {
        return Ok(text.to_owned());
    }
    Err("expected a name or an address and a port, such as sluice-control-plane.sluice-system.svc:8443".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn every_flag_has_an_environment_variable_and_is_in_the_help() {
        let mut command = Args::command();
        command.clone().debug_assert();
        let help = command.render_long_help().to_string();
        for argument in command.get_arguments() {
            let id = argument.get_id().as_str();
            if ["help", "version"].contains(&id) {
                continue;
            }
            let variable = argument.get_env().unwrap().to_str().unwrap();
            assert_eq!(variable, format!("SLUICE_{}", id.to_ascii_uppercase()));
            let flag = format!("--{}", argument.get_long().unwrap());
            assert!(help.contains(&flag) && help.contains(variable), "{flag}");
            assert!(argument.get_help().is_some(), "{flag} says what it is");
        }
    }

    #[test]
    fn it_runs_with_and_without_the_command() {
        let flags = [
            "--node=n",
            "--control-plane=c:8443",
            "--identity-dir=i",
            "--state-dir=s",
            "--listen=http=127.0.0.1:0,https=127.0.0.1:0",
        ];
        let bare = Args::try_parse_from(["sluice-data-plane"].iter().chain(&flags)).unwrap();
        let Command::Run(run) = bare.command else {
            panic!("without a command it runs");
        };
        assert_eq!(run.listen[1].name, "https");
        assert_eq!(run.admin_socket(), PathBuf::from("s/admin.sock"));
        let named = Args::try_parse_from(["sluice-data-plane", "run"].iter().chain(&flags));
        assert!(matches!(named.unwrap().command, Command::Run(_)));
    }

    #[test]
    fn a_probe_needs_no_more_than_the_socket() {
        let parse = |more: &[&str]| Args::try_parse_from(["sluice-data-plane"].iter().chain(more));
        assert!(parse(&["ready", "--admin-socket=a"]).is_ok());
        assert!(parse(&["live", "--state-dir=s"]).is_ok());
        assert!(parse(&["ready"]).is_err());
        let error = parse(&[]).unwrap_err().to_string();
        assert!(error.contains("--node"), "{error}");
    }

    #[test]
    fn the_control_plane_has_a_port() {
        for good in ["c:8443", "c.svc:1", "10.0.0.1:8443", "[::1]:8443"] {
            assert!(host_and_port(good).is_ok(), "{good}");
        }
        for bad in [
            "c", "c:", ":8443", "c:0", "c:65536", "::1:8443", "http://c", "",
        ] {
            assert!(host_and_port(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_bad_override_says_what_is_expected() {
        for text in ["http", "=127.0.0.1:1", "http=here:80", "http=127.0.0.1"] {
            assert!(text.parse::<ListenOverride>().is_err(), "{text}");
        }
    }
}
