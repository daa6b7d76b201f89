//! All that is wrong now, as one stream of levels: with objects, and on nodes.
//!
//! It does not tell anybody.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::Stream;
use futures_util::stream::unfold;
use sluice_proto::Problem;
use tokio::sync::watch;

use crate::publication::{Publication, Publications};
use crate::stream::Nodes;

/// Returns all that is wrong, each time it may have changed. Ends when nothing is published any more.
pub fn problems(
    mut publications: Publications,
    nodes: watch::Receiver<Nodes>,
) -> impl Stream<Item = BTreeSet<Problem>> {
    publications.mark_changed();
    unfold(
        (publications, nodes),
        async |(mut publications, mut nodes)| {
            let changed = tokio::select! {
                changed = publications.changed() => changed,
                changed = nodes.changed() => changed,
            };
            changed.ok()?;
            // Endpoints come and go many times a second; nobody reads Events so fast.
            tokio::time::sleep(REST).await;
            let publication = publications.borrow_and_update().clone();
            let now = match publication {
                Some(publication) => all(&publication, &nodes.borrow_and_update()),
                None => BTreeSet::new(),
            };
            Some((now, (publications, nodes)))
        },
    )
}

fn all(publication: &Publication, nodes: &Nodes) -> BTreeSet<Problem> {
    let mut all = nodes.refusals(publication);
    all.extend(publication.translation.problems.iter().cloned());
    for (process, status) in nodes.iter() {
        all.extend(status.problems.iter().map(|problem| Problem {
            message: format!("on node {}: {}", process.node, problem.message),
            ..problem.clone()
        }));
    }
    all
}

const REST: Duration = Duration::from_millis(200);
