//! That the list of differences is told to users, whole and without more, and that rows show it.

use std::collections::BTreeSet;
use std::fs;

use sluice_integration_tests::programs::repository;

use super::{differences, rows};

#[test]
fn each_difference_is_documented_and_nothing_else_is() {
    let document = fs::read_to_string(repository().join(DOCUMENT)).unwrap();
    let documented: Vec<&str> = document.lines().filter_map(id_of_line).collect();
    let listed: Vec<&str> = differences::ALL
        .iter()
        .map(|difference| difference.id)
        .collect();
    assert_eq!(
        documented, listed,
        "{DOCUMENT} and differences.rs list the same, in the same order"
    );
    for difference in differences::ALL {
        assert!(
            document.contains(difference.reason),
            "{DOCUMENT} does not give the reason of {}: {}",
            difference.id,
            difference.reason
        );
    }
}

#[test]
fn each_difference_is_shown_by_a_row() {
    let groups = rows::groups();
    let rows = groups.iter().flat_map(|group| &group.rows);
    let shown: BTreeSet<&str> = rows
        .flat_map(|row| row.differences.iter().copied())
        .collect();
    let listed: BTreeSet<&str> = differences::ALL
        .iter()
        .map(|difference| difference.id)
        .collect();
    assert_eq!(shown, listed);
}

/// A line of the document's table begins with the id.
fn id_of_line(line: &str) -> Option<&str> {
    line.strip_prefix("| `")?.split_once('`').map(|(id, _)| id)
}

const DOCUMENT: &str = "docs/traefik-differences.md";
