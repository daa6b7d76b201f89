//! Where the demonstration listens: everything on loopback, everything at a fixed distance from one port.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use anyhow::{Context as _, ensure};

/// All sockets of one demonstration.
#[derive(Clone, Copy, Debug)]
pub struct Addresses {
    base: u16,
}

impl Addresses {
    /// How many data planes there are.
    pub const NODES: u8 = 3;
    /// Below the ports that Linux gives out by itself, and away from those that people use.
    pub const DEFAULT_BASE: u16 = 18080;

    /// All sockets, counted from this port.
    pub fn from_base(base: u16) -> anyhow::Result<Self> {
        ensure!(
            base >= 1024,
            "a base port below 1024 needs privileges: choose one between 1024 and 65000"
        );
        ensure!(
            base <= 65000,
            "a base port above 65000 leaves no room: choose one between 1024 and 65000"
        );
        Ok(Self { base })
    }

    /// Those that the files in `examples` are written for.
    pub(super) fn of_examples() -> Self {
        Self {
            base: Self::DEFAULT_BASE,
        }
    }

    /// HTTP of node 1, 2 or 3.
    #[must_use]
    pub fn http(self, node: u8) -> SocketAddr {
        self.at(u16::from(node))
    }

    /// HTTPS of node 1, 2 or 3.
    #[must_use]
    pub fn https(self, node: u8) -> SocketAddr {
        self.at(360 + u16::from(node))
    }

    /// Where data planes get their snapshots.
    #[must_use]
    pub fn stream(self) -> SocketAddr {
        self.at(10)
    }

    /// Where `grpcurl` looks inside.
    #[must_use]
    pub fn introspection(self) -> SocketAddr {
        self.at(11)
    }

    /// The control plane's metrics.
    #[must_use]
    pub fn control_plane_metrics(self) -> SocketAddr {
        self.at(12)
    }

    /// A data plane's metrics.
    #[must_use]
    pub fn data_plane_metrics(self, node: u8) -> SocketAddr {
        self.at(12 + u16::from(node))
    }

    /// The pods: their names, and where they listen.
    pub(super) fn pods(self) -> impl Iterator<Item = (String, SocketAddr)> {
        let api = (1..=3).map(move |replica| {
            (
                format!("api-{replica}"),
                SocketAddr::new(Ipv4Addr::new(127, 0, 0, replica).into(), self.api_port()),
            )
        });
        api.chain([("admin-1".to_owned(), self.at(ADMIN))])
    }

    /// The port of the pods of the Service "api".
    pub(super) fn api_port(self) -> u16 {
        self.base + API
    }

    /// The port of the pod of the Service "admin".
    pub(super) fn admin_port(self) -> u16 {
        self.base + ADMIN
    }

    /// An error that names the first socket that somebody else holds.
    pub fn require_free(self) -> anyhow::Result<()> {
        for (what, address) in self.all() {
            // Closed again at once. Whoever is quicker than the program that it is for shows in that program's log.
            TcpListener::bind(address).with_context(|| {
                format!("{address} ({what}) cannot be used; end what listens there, or choose other ports with --base-port")
            })?;
        }
        Ok(())
    }

    fn all(self) -> Vec<(String, SocketAddr)> {
        let mut all = vec![
            ("the control plane's stream".to_owned(), self.stream()),
            ("introspection".to_owned(), self.introspection()),
            (
                "the control plane's metrics".to_owned(),
                self.control_plane_metrics(),
            ),
        ];
        for node in 1..=Self::NODES {
            all.push((format!("HTTP of node-{node}"), self.http(node)));
            all.push((format!("HTTPS of node-{node}"), self.https(node)));
            all.push((
                format!("metrics of node-{node}"),
                self.data_plane_metrics(node),
            ));
        }
        all.extend(
            self.pods()
                .map(|(name, address)| (format!("the pod {name}"), address)),
        );
        all
    }

    fn at(self, distance: u16) -> SocketAddr {
        SocketAddr::new(Ipv4Addr::LOCALHOST.into(), self.base + distance)
    }
}

const API: u16 = 20;
const ADMIN: u16 = 21;
