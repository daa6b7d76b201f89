//! A network of a test's own: a Linux network namespace with the addresses of a small cluster, and
//! a folder for what the test writes. It is one namespace and not one per machine: every "node" is
//! an address in it, which is all that separates three data planes that each bind port 80.
//!
//! ```text
//! 10.200.0.1         the API server and the control plane
//! 10.200.0.11 – .13  the nodes: one data plane each
//! 10.244.N.M         pods, added and removed while the test runs
//! ```
//!
//! No route leads out, so nothing a test does can reach a machine that is not the test's. Pod
//! addresses that are not there swallow packets, as those of a pod that is gone often do:
//! connecting to one times out.
//!
//! Dropping it ends what still runs inside and removes both. A test that is killed leaves both
//! behind; the next run's first namespace sweeps what belongs to nobody any more.

mod enter;
mod ip;
mod owner;
mod sweep;

use std::fs::DirBuilder;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use self::owner::Owner;

/// A network namespace and a folder with its name; see the module's documentation.
#[derive(Debug)]
pub struct Namespace {
    name: String,
    folder: PathBuf,
}

impl Namespace {
    /// Where the API server and the control plane listen.
    pub const CONTROL: Ipv4Addr = Ipv4Addr::new(10, 200, 0, 1);
    /// Where the data planes listen, one each.
    pub const NODES: [Ipv4Addr; 3] = [
        Ipv4Addr::new(10, 200, 0, 11),
        Ipv4Addr::new(10, 200, 0, 12),
        Ipv4Addr::new(10, 200, 0, 13),
    ];

    /// The address of a pod: `10.244.NODE.INDEX`. It exists once [`Namespace::add_address`] has
    /// added it.
    #[must_use]
    pub const fn pod(node: u8, index: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, 244, node, index)
    }

    /// Creates one, with the control and node addresses, after sweeping what killed test runs left
    /// behind.
    ///
    /// Needs root (`CAP_NET_ADMIN` and `CAP_SYS_ADMIN`) and iproute2; the error says which is
    /// missing.
    pub fn create() -> anyhow::Result<Self> {
        let namespace = Self::create_bare()?;
        namespace.configure(&small_cluster())?;
        Ok(namespace)
    }

    /// Creates one that has nothing but its loopback device: for a machine of its own, whose network
    /// [`Namespace::configure`] sets up.
    pub fn create_bare() -> anyhow::Result<Self> {
        ip::check()?;
        let _lock = sweep::lock()?;
        sweep::abandoned()?;
        let name = Owner::this_process()?.next_name();
        let folder = folder_of(&name);
        DirBuilder::new()
            .mode(0o700)
            .create(&folder)
            .with_context(|| format!("cannot create the test's folder {}", folder.display()))?;
        // From here on, dropping cleans up, whatever fails.
        let namespace = Self { name, folder };
        // Having the rights is not always enough: a container's security profile may forbid mounts.
        ip::run(&["netns", "add", &namespace.name])
            .context("cannot make a network namespace; a container must be privileged for that")?;
        namespace.configure(&["link set lo up".to_owned()])?;
        Ok(namespace)
    }

    /// Runs these commands of `ip` inside, such as `route add default via 10.200.0.1`.
    pub fn configure(&self, commands: &[String]) -> anyhow::Result<()> {
        ip::batch(&self.name, commands)
    }

    /// Its name, as `ip netns list` shows it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file that stands for it: `nsenter --net=PATH`.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        Path::new(NAMESPACES).join(&self.name)
    }

    /// A folder that only root can read, on disk, removed with the namespace.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where its programs log.
    #[must_use]
    pub fn logs(&self) -> PathBuf {
        self.folder.join("logs")
    }

    /// Adds an address, such as a new pod's.
    pub fn add_address(&self, address: impl Into<IpAddr>) -> anyhow::Result<()> {
        ip::run(&[
            "-netns",
            &self.name,
            "address",
            "add",
            &single(address.into()),
            "dev",
            DEVICE,
        ])
    }

    /// Removes an address, as when a pod is gone: what is sent to it from then on vanishes.
    pub fn remove_address(&self, address: impl Into<IpAddr>) -> anyhow::Result<()> {
        ip::run(&[
            "-netns",
            &self.name,
            "address",
            "delete",
            &single(address.into()),
            "dev",
            DEVICE,
        ])
    }

    /// Runs `scenario` inside and returns what it returned; a panic passes through.
    ///
    /// The scenario gets a tokio runtime of its own with two workers, and every socket that it or
    /// anything it spawns opens is in this network. What it spawned is aborted when it returns. The
    /// scenario's own future has a thread to itself, so it may block it, as
    /// [`Process::stop`](crate::process::Process::stop) or
    /// [`Cluster::kubectl`](crate::kubernetes::Cluster::kubectl) do, without disturbing what it
    /// spawned.
    pub fn run<T: Send>(
        &self,
        scenario: impl AsyncFnOnce() -> anyhow::Result<T> + Send,
    ) -> anyhow::Result<T> {
        enter::run(&self.path(), scenario)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        if let Err(error) = sweep::remove(&self.name) {
            // Not a panic: one may be under way. The next run's sweep tries again.
            eprintln!("{} could not be removed: {error:#}", self.name);
        }
    }
}

/// Every "node" an address of one device.
fn small_cluster() -> Vec<String> {
    let mut commands = vec![
        // A bridge and not a dummy device: the bridge is there in small kernels too.
        format!("link add {DEVICE} type bridge"),
        // Without ARP, what is sent to an absent address vanishes instead of coming back as "no
        // route to host" after three seconds: the harder case for a proxy.
        format!("link set {DEVICE} arp off"),
        format!("link set {DEVICE} up"),
        format!("address add {}/24 dev {DEVICE}", Namespace::CONTROL),
    ];
    commands.extend(
        Namespace::NODES
            .iter()
            .map(|node| format!("address add {node}/24 dev {DEVICE}")),
    );
    commands.push(format!("route add {PODS} dev {DEVICE}"));
    commands
}

/// Removes what earlier runs left behind whose process is gone, as [`Namespace::create`] does first.
pub fn sweep() -> anyhow::Result<()> {
    let _lock = sweep::lock()?;
    sweep::abandoned()
}

/// The folder that goes with the namespace of that name.
fn folder_of(name: &str) -> PathBuf {
    std::env::temp_dir().join(name)
}

fn single(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => format!("{address}/32"),
        IpAddr::V6(address) => format!("{address}/128"),
    }
}

/// Where `ip netns` keeps namespaces.
const NAMESPACES: &str = "/run/netns";
const DEVICE: &str = "edge0";
const PODS: &str = "10.244.0.0/16";
