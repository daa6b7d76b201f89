//! Files that come, change and go.

use std::fs;
use std::os::unix::fs::symlink;

use crate::files_source::observed::{Observed, service};

#[tokio::test]
async fn what_is_there_at_the_start_is_sent_before_it_counts_as_synced() {
    let observed = Observed::start(&[
        ("a.yaml", &service("a", 1)),
        ("deep/er/b.yml", &service("b", 2)),
        (
            "c.json",
            r#"{"apiVersion":"v1","kind":"Service","metadata":{"name":"c"},"spec":{"ports":[{"port":3}]}}"#,
        ),
        ("notes.txt", "kind: ["),
    ])
    .await;
    assert_eq!(observed.port("a"), Some(1));
    assert_eq!(observed.port("b"), Some(2));
    assert_eq!(observed.port("c"), Some(3));
    assert_eq!(observed.problems, []);
}

#[tokio::test]
async fn a_file_that_is_added_changed_and_removed() {
    let mut observed = Observed::start(&[("a.yaml", &service("a", 1))]).await;
    observed.write("new/b.yaml", &service("b", 2));
    observed
        .until("b is there", |now| now.port("b") == Some(2))
        .await;
    observed.write("new/b.yaml", &service("b", 22));
    observed
        .until("b has changed", |now| now.port("b") == Some(22))
        .await;
    // As editors save: a new file in the place of the old.
    observed.write(".b.swp", &service("b", 222));
    fs::rename(observed.path(".b.swp"), observed.path("new/b.yaml")).unwrap();
    observed
        .until("b was replaced", |now| now.port("b") == Some(222))
        .await;
    observed.remove("new/b.yaml");
    observed
        .until("b is gone", |now| now.port("b").is_none())
        .await;
    assert_eq!(observed.port("a"), Some(1));
    assert_eq!(observed.removed, ["b"], "nothing was gone in between");
}

#[tokio::test]
async fn settings_are_objects_like_any_other() {
    let settings = |range: &str| {
        format!(
            "apiVersion: ingress.sluice.dev/v1alpha1\nkind: Settings\nmetadata: {{name: edge}}\nspec: {{trustedProxies: \
             {{ranges: [{range}]}}}}\n"
        )
    };
    let mut observed = Observed::start(&[("a.yaml", &settings("10.0.0.0/8"))]).await;
    assert_eq!(observed.trusted(), Some("10.0.0.0/8"));
    observed.write("a.yaml", &settings("10.0.0.0/33"));
    observed
        .until("it has changed", |now| now.trusted() == Some("10.0.0.0/33"))
        .await;
    assert_eq!(
        observed.problems,
        [],
        "what a field is worth, translation says"
    );
    observed.remove("a.yaml");
    observed
        .until("it is gone", |now| now.trusted().is_none())
        .await;
}

#[tokio::test]
async fn an_object_that_is_taken_out_of_a_file_is_gone() {
    let both = format!("{}---\n{}", service("a", 1), service("b", 2));
    let mut observed = Observed::start(&[("all.yaml", &both)]).await;
    observed.write("all.yaml", &service("a", 1));
    observed
        .until("b is gone", |now| now.port("b").is_none())
        .await;
    assert_eq!(observed.port("a"), Some(1));
}

#[tokio::test]
async fn an_object_that_moves_to_another_file_is_never_gone() {
    let mut observed = Observed::start(&[("a.yaml", &service("a", 1))]).await;
    observed.write("b.yaml", &service("a", 1));
    observed
        .until("it is in both", |now| now.has_problem("ObjectDuplicate"))
        .await;
    observed.remove("a.yaml");
    observed
        .until("it is in one", |now| now.problems.is_empty())
        .await;
    assert_eq!(observed.port("a"), Some(1));
    assert!(observed.removed.is_empty(), "{:?}", observed.removed);
}

#[tokio::test]
async fn the_same_object_in_two_files_is_a_problem_that_names_both() {
    let mut observed = Observed::start(&[
        ("first.yaml", &service("a", 1)),
        ("second.yaml", &service("a", 2)),
    ])
    .await;
    assert_eq!(observed.port("a"), Some(1), "the first counts");
    let problem = observed.problem("ObjectDuplicate");
    assert!(problem.message.contains("first.yaml"), "{problem}");
    assert!(problem.message.contains("second.yaml"), "{problem}");
    observed.remove("first.yaml");
    observed
        .until("the second counts", |now| now.port("a") == Some(2))
        .await;
    assert_eq!(observed.problems, []);
}

#[tokio::test]
async fn a_mounted_config_map_that_is_swapped() {
    let mut observed = Observed::start(&[("..v1/a.yaml", &service("a", 1))]).await;
    assert_eq!(observed.port("a"), None, "hidden folders do not count");
    symlink("..v1", observed.path("..data")).unwrap();
    symlink("..data/a.yaml", observed.path("a.yaml")).unwrap();
    observed
        .until("a is mounted", |now| now.port("a") == Some(1))
        .await;
    // As kubelet does it: the new version beside the old, then one rename.
    observed.write("..v2/a.yaml", &service("a", 2));
    symlink("..v2", observed.path("..data_tmp")).unwrap();
    fs::rename(observed.path("..data_tmp"), observed.path("..data")).unwrap();
    fs::remove_dir_all(observed.path("..v1")).unwrap();
    observed
        .until("a has changed", |now| now.port("a") == Some(2))
        .await;
    assert!(observed.removed.is_empty(), "{:?}", observed.removed);
    assert_eq!(observed.problems, []);
}
