//! Files that cannot be used: a problem each, and never an outage.

use std::fs::{self, File};
use std::io::Write;
use std::time::Duration;

use rustix::fs::{FileType, Mode};
use sluice_control_plane::source::files;

use crate::files_source::observed::{Observed, service};

#[tokio::test]
async fn a_malformed_file_is_a_problem_and_its_last_good_objects_stay() {
    let both = format!("{}---\n{}", service("a", 1), service("b", 2));
    let mut observed = Observed::start(&[("all.yaml", &both), ("c.yaml", &service("c", 3))]).await;
    let broken = format!(
        "{}---\nkind: Service\nmetadata: {{name: [\n",
        service("a", 11)
    );
    observed.write("all.yaml", &broken);
    observed
        .until("it is a problem", |now| {
            now.has_problem("DocumentMalformed")
        })
        .await;
    let problem = observed.problem("DocumentMalformed");
    assert!(problem.message.contains("all.yaml"), "{problem}");
    assert!(problem.message.contains("line 11"), "{problem}");
    assert!(problem.message.contains("last good version"), "{problem}");
    assert_eq!(observed.port("a"), Some(11), "what is whole is taken");
    assert_eq!(observed.port("b"), Some(2), "what may be hidden stays");
    assert_eq!(observed.port("c"), Some(3), "others are untouched");

    observed.write("all.yaml", &service("a", 111));
    observed
        .until("it is mended", |now| now.problems.is_empty())
        .await;
    assert_eq!(observed.port("a"), Some(111));
    assert_eq!(observed.port("b"), None, "it is not hidden but gone");
    assert_eq!(observed.removed, ["b"]);
}

#[tokio::test]
async fn a_file_that_is_malformed_from_the_start_costs_only_itself() {
    let text = format!("{}---\nkind: [\n", service("a", 1));
    let observed = Observed::start(&[("a.yaml", &text), ("b.yaml", &service("b", 2))]).await;
    assert!(observed.has_problem("DocumentMalformed"));
    assert_eq!(observed.port("a"), Some(1));
    assert_eq!(observed.port("b"), Some(2));
}

#[tokio::test]
async fn a_file_that_is_being_written_is_not_read_before_it_is_whole() {
    let both = format!("{}---\n{}", service("a", 1), service("b", 2));
    let mut observed = Observed::start(&[("all.yaml", &both)]).await;
    // A slow editor: it cuts the file to nothing, and writes it in pieces.
    let mut file = File::create(observed.path("all.yaml")).unwrap();
    let text = both.replace("port: 2", "port: 22");
    for piece in [&text[..text.len() / 2], &text[text.len() / 2..]] {
        tokio::time::sleep(Duration::from_millis(200)).await;
        file.write_all(piece.as_bytes()).unwrap();
    }
    drop(file);
    observed
        .until("b has changed", |now| now.port("b") == Some(22))
        .await;
    assert_eq!(observed.problems, []);
    assert!(observed.removed.is_empty(), "{:?}", observed.removed);
}

#[tokio::test]
async fn kinds_that_sluice_does_not_read_hide_nothing() {
    let other = "---\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: a\n";
    let both = format!("{}---\n{}{other}", service("a", 1), service("b", 2));
    let mut observed = Observed::start(&[("all.yaml", &both)]).await;
    assert!(observed.has_problem("KindIgnored"));
    observed.write("all.yaml", &format!("{}{other}", service("a", 1)));
    observed
        .until("b is gone", |now| now.port("b").is_none())
        .await;
}

#[tokio::test]
async fn a_file_that_is_no_text_is_a_problem_and_its_objects_stay() {
    let mut observed = Observed::start(&[("a.yaml", &service("a", 1))]).await;
    fs::write(observed.path("a.yaml"), [0xff, 0xfe, 0x00]).unwrap();
    observed
        .until("it is a problem", |now| now.has_problem("FileUnreadable"))
        .await;
    assert_eq!(observed.problem("FileUnreadable").object.name, "a.yaml");
    assert_eq!(observed.port("a"), Some(1));
    observed.remove("a.yaml");
    observed
        .until("it is gone", |now| now.port("a").is_none())
        .await;
    assert_eq!(observed.problems, []);
}

#[tokio::test]
async fn a_folder_that_goes_away_takes_nothing_with_it() {
    let mut observed = Observed::start(&[("sub/a.yaml", &service("a", 1))]).await;
    let folder = observed.path("");
    let aside = folder.with_file_name("aside");
    fs::rename(&folder, &aside).unwrap();
    observed
        .until("it is a problem", |now| now.has_problem("FolderUnreadable"))
        .await;
    assert_eq!(observed.port("a"), Some(1));
    fs::rename(&aside, &folder).unwrap();
    observed
        .until("it is back", |now| now.problems.is_empty())
        .await;
    observed.write("sub/a.yaml", &service("a", 11));
    observed
        .until("it is watched again", |now| now.port("a") == Some(11))
        .await;
    assert!(observed.removed.is_empty(), "{:?}", observed.removed);
}

#[tokio::test]
async fn a_folder_that_cannot_be_listed_at_the_start_is_an_error_that_names_it() {
    let parent = tempfile::tempdir().unwrap();
    let none = parent.path().join("none");
    let error = files::start(&none).await.err().unwrap().to_string();
    assert!(error.contains(none.to_str().unwrap()), "{error}");
    assert!(error.contains("--files"), "{error}");
}

#[tokio::test]
async fn a_pipe_in_the_folder_stops_nothing() {
    let mut observed = Observed::start(&[]).await;
    let fifo = observed.path("a.yaml");
    rustix::fs::mknodat(rustix::fs::CWD, fifo, FileType::Fifo, Mode::RUSR, 0).unwrap();
    observed.write("b.yaml", &service("b", 2));
    observed
        .until("b is there", |now| now.port("b") == Some(2))
        .await;
}
