//! The table as people read it, and what it must be for the test to pass.

use anyhow::ensure;

use super::ask::Outcome;
use super::observe::{BY, Observation, PROXY, STATUS, observe};
use super::row::Row;
use super::rows::Group;
use super::verdict::{Verdict, judge};

/// What was asked and answered.
#[derive(Debug, Default)]
pub(super) struct Table {
    lines: Vec<Line>,
}

#[derive(Debug)]
struct Line {
    group: &'static str,
    name: &'static str,
    request: String,
    traefik: Vec<Observation>,
    sluice: Vec<Observation>,
    verdict: Verdict,
    /// What is wrong with Traefik's answer: the objects do not show what they are to show.
    fixture: Option<&'static str>,
}

impl Table {
    /// Adds the answers to a row.
    pub(super) fn add(
        &mut self,
        group: &Group,
        row: &Row,
        traefik: Vec<Outcome>,
        sluice: Vec<Outcome>,
    ) {
        let (mut traefik, mut sluice) = (observe(&traefik), observe(&sluice));
        if row.at_once {
            traefik.sort();
            sluice.sort();
        }
        self.lines.push(Line {
            group: group.name,
            name: row.name,
            request: row.to_string(),
            verdict: judge(row, &traefik, &sluice),
            fixture: fixture_problem(row, &traefik),
            traefik,
            sluice,
        });
    }

    /// Prints it.
    pub(super) fn print(&self) {
        let full = std::env::var("SLUICE_TABLE").is_ok_and(|value| value == "full");
        let mut group = "";
        for line in &self.lines {
            if line.group != group {
                group = line.group;
                println!("\n{group}");
                println!(
                    "  {:52} | {:28} | {:28} | {:28} | request",
                    "row", "Traefik", "Sluice", "verdict"
                );
            }
            println!(
                "  {:52} | {:28} | {:28} | {:28} | {}",
                line.name,
                summary(&line.traefik),
                summary(&line.sluice),
                line.verdict_text(),
                line.request
            );
            for wrong in line.complaints() {
                println!("      {wrong}");
            }
            if full {
                print_observations("Traefik", &line.traefik);
                print_observations("Sluice", &line.sluice);
            }
        }
        let count =
            |wanted: fn(&Line) -> bool| self.lines.iter().filter(|line| wanted(line)).count();
        println!(
            "\n{} rows: {} agree, {} differ as documented, {} differ otherwise",
            self.lines.len(),
            count(|line| line.verdict == Verdict::Agree),
            count(|line| matches!(line.verdict, Verdict::Different(_))),
            count(|line| matches!(line.verdict, Verdict::Wrong(_))),
        );
    }

    /// Fails if a row differs otherwise than documented, or if Traefik does not serve it.
    pub(super) fn require_truth(&self) -> anyhow::Result<()> {
        let wrong: Vec<String> = self
            .lines
            .iter()
            .flat_map(|line| {
                line.complaints()
                    .into_iter()
                    .map(|why| format!("{} / {}: {why}", line.group, line.name))
            })
            .collect();
        ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
        Ok(())
    }
}

impl Line {
    fn verdict_text(&self) -> String {
        match &self.verdict {
            Verdict::Agree => "agree".to_owned(),
            Verdict::Different(ids) => format!("difference: {}", ids.join(", ")),
            Verdict::Wrong(_) => "DIFFERS".to_owned(),
        }
    }

    /// What is wrong with it.
    fn complaints(&self) -> Vec<String> {
        let mut all: Vec<String> = self.fixture.iter().map(|why| (*why).to_owned()).collect();
        if let Verdict::Wrong(wrong) = &self.verdict {
            all.extend(wrong.iter().cloned());
        }
        all
    }
}

fn fixture_problem(row: &Row, traefik: &[Observation]) -> Option<&'static str> {
    let unserved =
        |observation: &Observation| observation[STATUS] == "404" && observation[BY] == PROXY;
    match (traefik.iter().any(unserved), row.unserved) {
        (true, false) => {
            Some("Traefik does not serve this row: mend its objects, or say `unserved`")
        }
        (false, true) => Some("Traefik serves this row: it is not `unserved`"),
        _ => None,
    }
}

/// `200 echo A`, or `200 x2 429`.
fn summary(observations: &[Observation]) -> String {
    match observations {
        [one] => match one.get(BY) {
            Some(by) => format!("{} {by}", one[STATUS]),
            None => one[STATUS].clone(),
        },
        several => counted(several.iter().map(|one| one[STATUS].as_str())),
    }
}

/// `200 x3 429 x2`.
fn counted<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    let mut runs: Vec<(&str, usize)> = Vec::new();
    for text in texts {
        match runs.last_mut() {
            Some((last, times)) if *last == text => *times += 1,
            _ => runs.push((text, 1)),
        }
    }
    let runs = runs.iter().map(|(text, times)| match times {
        1 => (*text).to_owned(),
        _ => format!("{text} x{times}"),
    });
    runs.collect::<Vec<_>>().join(" ")
}

fn print_observations(side: &str, observations: &[Observation]) {
    for (index, observation) in observations.iter().enumerate() {
        println!("      {side} #{}:", index + 1);
        for (what, value) in observation {
            println!("        {what}: {value}");
        }
    }
}
