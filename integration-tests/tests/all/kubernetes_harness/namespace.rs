//! Namespaces: closed, apart from each other, and gone afterwards, also after a violent end.

use std::fs;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use sluice_integration_tests::namespace::Namespace;
use sluice_integration_tests::process::Program;
use sluice_integration_tests::wait;
use tempfile::tempdir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::again;
use super::process::runs;

#[test]
fn what_is_spawned_inside_is_inside_too() {
    let namespace = Namespace::create().unwrap();
    let pod = Namespace::pod(1, 7);
    namespace.add_address(pod).unwrap();
    let answer = namespace
        .run(async || {
            let listener = TcpListener::bind((pod, 80)).await?;
            tokio::spawn(async move {
                loop {
                    let (mut stream, _) = listener.accept().await.unwrap();
                    stream.write_all(b"pod").await.unwrap();
                }
            });
            // Workers and blocking threads are made later, by other threads, and must be inside as
            // well.
            let client = tokio::spawn(async move { ask((pod, 80).into()).await });
            let blocking = tokio::task::spawn_blocking(move || {
                std::net::TcpStream::connect((pod, 80)).map(drop)
            });
            blocking.await??;
            client.await?
        })
        .unwrap();
    assert_eq!(answer, "pod");
    let outside = std::net::TcpListener::bind((pod, 80)).unwrap_err();
    assert_eq!(outside.kind(), ErrorKind::AddrNotAvailable);
}

#[test]
fn no_route_leads_out() {
    let namespace = Namespace::create().unwrap();
    // TEST-NET-3 (RFC 5737): nobody's address, should the promise be broken.
    let tried = namespace.run(async || {
        Ok(
            timeout(Duration::from_secs(5), TcpStream::connect("203.0.113.1:80"))
                .await?
                .unwrap_err(),
        )
    });
    let error = tried.unwrap();
    assert_eq!(error.kind(), ErrorKind::NetworkUnreachable);
}

#[test]
fn nodes_and_namespaces_do_not_clash() {
    let (first, second) = (Namespace::create().unwrap(), Namespace::create().unwrap());
    let bind = async || {
        let mut listeners = Vec::new();
        for node in Namespace::NODES {
            listeners.push(TcpListener::bind((node, 80)).await?.into_std()?);
        }
        Ok(listeners)
    };
    let held = first.run(bind).unwrap();
    let others = second.run(bind).unwrap();
    assert_eq!((held.len(), others.len()), (3, 3));
}

#[test]
fn a_removed_address_swallows_connections() {
    let namespace = Namespace::create().unwrap();
    let pod = Namespace::pod(2, 1);
    namespace.add_address(pod).unwrap();
    namespace
        .run(async || {
            let refused = TcpStream::connect((pod, 80)).await.unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
            namespace.remove_address(pod)?;
            // Long enough to tell it from "no route to host", which takes three seconds.
            let tried = timeout(Duration::from_secs(4), TcpStream::connect((pod, 80))).await;
            assert!(tried.is_err(), "{tried:?}");
            Ok(())
        })
        .unwrap();
    let error = namespace.remove_address(pod).unwrap_err().to_string();
    assert!(error.contains("10.244.2.1"), "{error}");
}

#[test]
#[should_panic(expected = "seen outside")]
fn a_panic_inside_passes_through() {
    let namespace = Namespace::create().unwrap();
    let _: anyhow::Result<()> = namespace.run(async || panic!("seen outside"));
}

/// The kernel ends a program with the thread that started it; that must not be the scenario's.
#[test]
fn a_program_outlives_the_scenario_that_started_it() {
    let namespace = Namespace::create().unwrap();
    let sleeper = Program::new("sleeper", "/bin/sleep", &namespace.logs())
        .arg("1000")
        .inside(&namespace);
    let mut sleeper = namespace
        .run(async || {
            let started = sleeper.start()?;
            let name = format!("/proc/{}/comm", started.id());
            wait::until(
                "nsenter and setpriv to have done their work",
                LIMIT,
                async || match fs::read_to_string(&name) {
                    Ok(name) if name == "sleep\n" => Ok(()),
                    other => Err(format!("{other:?}")),
                },
            )
            .await?;
            Ok(started)
        })
        .unwrap();
    assert_eq!(sleeper.wait(Duration::from_millis(200)).unwrap(), None);
}

#[test]
fn dropping_leaves_nothing() {
    let namespace = Namespace::create().unwrap();
    let (name, path, folder) = (
        namespace.name().to_owned(),
        namespace.path(),
        namespace.folder().to_owned(),
    );
    let sleeper = Program::new("sleeper", "/bin/sleep", &namespace.logs())
        .arg("1000")
        .inside(&namespace)
        .start()
        .unwrap();
    fs::write(folder.join("file"), "content").unwrap();
    assert!(name.starts_with(&format!("sluice-{}-", std::process::id())));
    assert!(path.exists() && runs(sleeper.id()));
    drop(namespace);
    assert!(!path.exists() && !folder.exists() && !runs(sleeper.id()));
}

/// In its other role this test is a run that is killed: it makes a namespace with two programs
/// inside, says so, and waits for its end.
#[test]
fn what_a_killed_run_leaves_is_swept() {
    if again::role().is_some() {
        return be_killed();
    }
    let place = tempdir().unwrap();
    let told = place.path().join("told");
    let mut run = again::run(
        "kubernetes_harness::namespace::what_a_killed_run_leaves_is_swept",
        "victim",
    );
    let mut run = Victim(
        run.env(TOLD, &told)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap(),
    );
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let told = runtime
        .block_on(wait::until(
            "the other run to have a namespace",
            LIMIT,
            async || fs::read_to_string(&told),
        ))
        .unwrap();
    let [path, folder, owned, orphan] = told.split(' ').collect::<Vec<_>>()[..] else {
        panic!("{told}")
    };
    let (path, folder) = (Path::new(path), Path::new(folder));
    let (owned, orphan) = (owned.parse().unwrap(), orphan.parse().unwrap());
    assert!(path.exists() && folder.exists() && runs(owned) && runs(orphan));

    // While its run lives, a namespace is left alone.
    drop(Namespace::create().unwrap());
    assert!(path.exists() && folder.exists() && runs(owned) && runs(orphan));

    run.0.kill().unwrap();
    assert_eq!(run.0.wait().unwrap().signal(), Some(9));
    let dead = wait::until("the program to die with its run", LIMIT, async || {
        if runs(owned) { Err("it runs") } else { Ok(()) }
    });
    runtime.block_on(dead).unwrap();
    assert!(
        path.exists() && folder.exists() && runs(orphan),
        "that was to be the sweep's work"
    );

    drop(Namespace::create().unwrap());
    assert!(!path.exists() && !folder.exists() && !runs(orphan));
}

fn be_killed() {
    let namespace = Namespace::create().unwrap();
    let owned = Program::new("owned", "/bin/sleep", &namespace.logs())
        .arg("1000")
        .inside(&namespace)
        .start()
        .unwrap();
    // What a program starts in turn does not die with the run: only the sweep can find it.
    let script = "sleep 1000 & echo $! > \"$0\"; wait";
    let file = namespace.folder().join("orphan");
    let parent = Program::new("parent", "/bin/sh", &namespace.logs())
        .args(["-c", script])
        .arg(&file)
        .inside(&namespace);
    let _parent = parent.start().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let orphan = wait::until(
        "the orphan to be started",
        LIMIT,
        async || match fs::read_to_string(&file) {
            Ok(id) if id.ends_with('\n') => Ok(id),
            other => Err(format!("{other:?}")),
        },
    );
    let orphan = runtime.block_on(orphan).unwrap();
    let told = std::path::PathBuf::from(std::env::var_os(TOLD).unwrap());
    let text = format!(
        "{} {} {} {}",
        namespace.path().display(),
        namespace.folder().display(),
        owned.id(),
        orphan.trim()
    );
    fs::write(told.with_extension("new"), text).unwrap();
    fs::rename(told.with_extension("new"), told).unwrap();
    loop {
        std::thread::park();
    }
}

/// The other run; killed when this one fails before it comes to that.
struct Victim(Child);

impl Drop for Victim {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn ask(address: SocketAddr) -> anyhow::Result<String> {
    let mut answer = String::new();
    TcpStream::connect(address)
        .await?
        .read_to_string(&mut answer)
        .await?;
    Ok(answer)
}

const TOLD: &str = "SLUICE_TEST_TOLD";
const LIMIT: Duration = Duration::from_secs(60);
