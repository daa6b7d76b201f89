//! Another process of a node, as any pod on the host network could be, asks for the listening sockets.

use anyhow::ensure;

use crate::stage::{ALL_NODES, Stage};
use crate::table::Row;
use crate::traffic::Traffic;

pub(crate) fn run(stage: &mut Stage, row: &mut Row) -> anyhow::Result<()> {
    stage.outside(async |stage| {
        let traffic = Traffic::through(stage, &ALL_NODES);
        let printed = stage.nodes.node(0).run(&["python3", "-c", THIEF])?;
        ensure!(
            printed.lines().any(|line| line.starts_with("asked")),
            "there is no socket of the hand-over to ask at: {printed}"
        );
        for line in printed.lines() {
            if line.contains("got a descriptor") {
                row.broken(line);
            }
        }
        row.note(format_args!(
            "{} ways to ask, no descriptor",
            printed.lines().count()
        ));
        traffic.wait_for_more(600).await?;
        traffic.stop(row).await;
        Ok(())
    })
}

/// Asks at every abstract socket of Sluice's on the node, in several ways, and says what came back.
const THIEF: &str = include_str!("socket_thief.py");
