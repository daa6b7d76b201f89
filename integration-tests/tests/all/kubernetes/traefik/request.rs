//! A request of the table: what is asked, by whom, and how the connection is opened. It sends nothing ([`ask`](super::ask)).

use std::fmt;
use std::net::Ipv4Addr;

use http::Method;

/// A request. It is from a stranger and without TLS unless it says otherwise.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) host: &'static str,
    pub(super) path: &'static str,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: usize,
    pub(super) from: Peer,
    pub(super) tls: Tls,
}

/// Who opens the connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Peer {
    Stranger,
    OtherStranger,
    /// A proxy that both trust.
    Proxy,
}

/// What is spoken on it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Tls {
    No,
    Yes,
    Version12,
    WithCertificate,
    WithCertificateOfOthers,
}

/// `GET` for a host and a path, such as `echo.test/path?query`.
pub(super) fn get(url: &'static str) -> Request {
    ask("GET", url)
}

/// The same with another method.
pub(super) fn ask(method: &str, url: &'static str) -> Request {
    let (host, path) = url.split_at(url.find('/').unwrap());
    Request {
        method: method.parse().unwrap(),
        host,
        path,
        headers: Vec::new(),
        body: 0,
        from: Peer::Stranger,
        tls: Tls::No,
    }
}

impl Request {
    /// Adds a header, also a second one of the same name.
    pub(super) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Sends so many bytes along.
    pub(super) fn body(mut self, bytes: usize) -> Self {
        self.body = bytes;
        self
    }

    /// Is from another peer.
    pub(super) fn from(mut self, peer: Peer) -> Self {
        self.from = peer;
        self
    }

    /// Is from the trusted proxy, on behalf of others.
    pub(super) fn forwarded_for(self, clients: &str) -> Self {
        self.from(Peer::Proxy).header("X-Forwarded-For", clients)
    }

    /// Uses TLS.
    pub(super) fn over(mut self, tls: Tls) -> Self {
        self.tls = tls;
        self
    }
}

impl Peer {
    /// All of them.
    pub(super) const ALL: [Self; 3] = [Self::Stranger, Self::OtherStranger, Self::Proxy];

    /// Whom Traefik and Sluice trust.
    pub(super) const TRUSTED: &str = "10.244.220.0/24";

    /// The address.
    pub(super) const fn address(self) -> Ipv4Addr {
        match self {
            Self::Stranger => Ipv4Addr::new(10, 244, 210, 1),
            Self::OtherStranger => Ipv4Addr::new(10, 244, 210, 2),
            Self::Proxy => Ipv4Addr::new(10, 244, 220, 1),
        }
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls == Tls::No { "" } else { "https://" };
        write!(f, "{} {scheme}{}{}", self.method, self.host, self.path)?;
        for (name, value) in &self.headers {
            write!(f, " {name}: {value};")?;
        }
        if self.body > 0 {
            write!(f, " +{} bytes", self.body)?;
        }
        match self.tls {
            Tls::No | Tls::Yes => {}
            Tls::Version12 => f.write_str(" TLS 1.2")?,
            Tls::WithCertificate => f.write_str(" with a certificate")?,
            Tls::WithCertificateOfOthers => f.write_str(" with a stranger's certificate")?,
        }
        match self.from {
            Peer::Stranger => Ok(()),
            Peer::OtherStranger => f.write_str(" <- other stranger"),
            Peer::Proxy => f.write_str(" <- trusted proxy"),
        }
    }
}
