//! What strangers send: garbage on every port, broken framing, a header without end. Each costs its own connection, and
//! no process.

use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use sluice_integration_tests::client::fetch;
use sluice_integration_tests::system::{System, ingress, require_backend};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::shop;

#[test]
fn garbage_costs_its_own_connection_only() {
    let mut system = System::start().unwrap();
    let outcome = system.run(async |system| {
        let _pods = shop(system, "shop", &["api"], 2).await?;
        system
            .cluster()
            .apply(&ingress("shop", "api", "api.example.com", "api"))?;
        system
            .wait_until_served("api.example.com", "/", "api-")
            .await?;

        // Whatever is sent where a TLS handshake is expected: the connection ends, and nothing that was sent comes back.
        for garbage in [
            &b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"[..],
            &[0; 4096],
            &[0xff; 65536],
            b"\x16\x03\x01\xff\xff\x01",
        ] {
            for address in [System::stream(), System::https(0)] {
                send(address, garbage)
                    .await
                    .with_context(|| format!("{} bytes to {address}", garbage.len()))?;
            }
        }
        for request in BROKEN_REQUESTS {
            let answer = send(System::http(0), request).await?;
            let shown = String::from_utf8_lossy(request);
            let status = answer.split(' ').nth(1).unwrap_or("none");
            ensure!(
                !answer.contains("x-echo-name"),
                "{shown:?} reached a backend: {answer}"
            );
            ensure!(
                ["400", "431", "501", "505", "none"].contains(&status),
                "{shown:?} was answered {answer}"
            );
        }
        require_unharmed(system).await
    });
    outcome.unwrap();
}

#[test]
fn a_header_without_end_is_cut_off_and_costs_no_memory() {
    let mut system = System::start().unwrap();
    let outcome = system.run(async |system| {
        let _pods = shop(system, "shop", &["api"], 2).await?;
        system
            .cluster()
            .apply(&ingress("shop", "api", "api.example.com", "api"))?;
        system
            .wait_until_served("api.example.com", "/", "api-")
            .await?;
        let id = system.data_plane(0).id();
        let before = highest_memory(id)?;
        let mut stream = TcpStream::connect(System::http(0)).await?;
        stream
            .write_all(b"GET / HTTP/1.1\r\nhost: api.example.com\r\nx-endless: ")
            .await?;
        let piece = [b'a'; 65536];
        let mut sent = 0;
        // 100 MB, unless it is cut off before.
        while sent < 100_000_000 && stream.write_all(&piece).await.is_ok() {
            sent += piece.len();
        }
        let mut answer = Vec::new();
        let _ = timeout(LIMIT, stream.read_to_end(&mut answer)).await;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        println!("cut off after {sent} bytes with {answer:?}");
        ensure!(sent < 20_000_000, "it took {sent} bytes of one header");
        ensure!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 431"),
            "it was answered {answer}"
        );
        let more = highest_memory(id)? - before;
        ensure!(more < 20_000, "it cost {more} kB of memory");
        require_unharmed(system).await
    });
    outcome.unwrap();
}

/// Sends these bytes, and returns what comes back until the connection ends; that it does not end is an error.
async fn send(address: SocketAddr, bytes: &[u8]) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    // It may be cut off before everything is sent.
    let _ = stream.write_all(bytes).await;
    let _ = stream.shutdown().await;
    let mut answer = Vec::new();
    let ended = timeout(LIMIT, stream.read_to_end(&mut answer)).await;
    ensure!(ended.is_ok(), "the connection does not end");
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// Everything runs, nothing has panicked, everything serves, and a change still arrives.
async fn require_unharmed(system: &mut System) -> anyhow::Result<()> {
    system
        .cluster()
        .apply(&ingress("shop", "later", "later.example.com", "api"))?;
    system
        .wait_until_served("later.example.com", "/", "api-")
        .await?;
    for node in 0..System::NODES {
        require_backend(
            &fetch(&System::destination(node, "api.example.com", "/")).await?,
            "api-",
        )?;
    }
    let mut logs = system.control_plane().context("no control plane")?.log()?;
    ensure!(
        system
            .control_plane()
            .context("no control plane")?
            .ended()?
            .is_none(),
        "the control plane has ended"
    );
    for node in 0..System::NODES {
        ensure!(
            system.data_plane(node).ended()?.is_none(),
            "a data plane has ended"
        );
        logs += &system.data_plane(node).log()?;
    }
    ensure!(!logs.contains("panicked"), "{logs}");
    Ok(())
}

/// The most memory that a process has ever had, in kB.
fn highest_memory(id: u32) -> anyhow::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status"))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .context("no VmHWM")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse()?)
}

const BROKEN_REQUESTS: [&[u8]; 9] = [
    b"GET /\r\n\r\n",
    b"GET / HTTP/9.9\r\nhost: api.example.com\r\n\r\n",
    b"GET / HTTP/1.1\r\nhost : api.example.com\r\n\r\n",
    b"GET / HTTP/1.1\r\nhost: api.example.com\r\nx: \0\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nhost: api.example.com\r\nhost: other.example.com\r\n\r\n",
    b"POST / HTTP/1.1\r\nhost: api.example.com\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd",
    b"POST / HTTP/1.1\r\nhost: api.example.com\r\ncontent-length: -1\r\n\r\n",
    b"\0\0\0\0\0\0\0\0\r\n\r\n",
];
const LIMIT: Duration = Duration::from_secs(30);
