//! Whether two lists of observations are the same, and if not, whether the row says so.

use super::differences::{self, Difference};
use super::observe::{BY, Observation, PROXY, STATUS};
use super::row::Row;

/// What comes of a row.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    Agree,
    /// They differ as documented.
    Different(Vec<&'static str>),
    /// They differ, or agree, and nobody said so.
    Wrong(Vec<String>),
}

/// Compares what was observed of a row.
pub(super) fn judge(row: &Row, traefik: &[Observation], sluice: &[Observation]) -> Verdict {
    let mismatches = mismatches(row, traefik, sluice);
    let named: Vec<&Difference> = row
        .differences
        .iter()
        .map(|id| differences::find(id))
        .collect();
    let mut wrong: Vec<String> = mismatches
        .iter()
        .filter(|mismatch| {
            !named
                .iter()
                .any(|difference| difference.covers(&mismatch.what))
        })
        .map(ToString::to_string)
        .collect();
    for difference in named {
        if !mismatches
            .iter()
            .any(|mismatch| difference.covers(&mismatch.what))
        {
            wrong.push(format!(
                "the difference `{}` does not occur any more: take it out of the row, and out of the list and the document \
                 if no other row shows it",
                difference.id
            ));
        }
    }
    match (wrong.is_empty(), row.differences.is_empty()) {
        (false, _) => Verdict::Wrong(wrong),
        (true, true) => Verdict::Agree,
        (true, false) => Verdict::Different(row.differences.clone()),
    }
}

/// Something that is not the same.
#[derive(Clone, Debug)]
pub(super) struct Mismatch {
    /// Which of the row's requests, from 1; 0 if it has only one.
    number: usize,
    what: String,
    traefik: String,
    sluice: String,
}

impl std::fmt::Display for Mismatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.number > 0 {
            write!(f, "#{} ", self.number)?;
        }
        write!(
            f,
            "{}: Traefik has {:?}, Sluice {:?}",
            self.what, self.traefik, self.sluice
        )
    }
}

fn mismatches(row: &Row, traefik: &[Observation], sluice: &[Observation]) -> Vec<Mismatch> {
    if row.at_once {
        let (traefik, sluice) = (statuses(traefik), statuses(sluice));
        let same = traefik == sluice;
        return Vec::from_iter((!same).then_some(Mismatch {
            number: 0,
            what: STATUS.to_owned(),
            traefik,
            sluice,
        }));
    }
    let pairs = traefik.iter().zip(sluice).enumerate();
    pairs
        .flat_map(|(index, (traefik, sluice))| {
            let number = if row.requests.len() > 1 { index + 1 } else { 0 };
            of_pair(number, traefik, sluice)
        })
        .collect()
}

fn of_pair(number: usize, traefik: &Observation, sluice: &Observation) -> Vec<Mismatch> {
    let text = |observation: &Observation, what: &str| {
        observation
            .get(what)
            .cloned()
            .unwrap_or_else(|| "-".to_owned())
    };
    let both = traefik
        .keys()
        .chain(sluice.keys().filter(|what| !traefik.contains_key(*what)));
    // Where only one of them has asked a backend, nothing else can be the same.
    let only_one = (text(traefik, BY) == PROXY) != (text(sluice, BY) == PROXY);
    both.filter(|what| !only_one || [STATUS, BY].contains(&what.as_str()))
        .map(|what| Mismatch {
            number,
            what: what.clone(),
            traefik: text(traefik, what),
            sluice: text(sluice, what),
        })
        .filter(|mismatch| mismatch.traefik != mismatch.sluice)
        .collect()
}

/// The statuses of answers in no order.
fn statuses(observations: &[Observation]) -> String {
    let mut all: Vec<&str> = observations
        .iter()
        .map(|observation| observation[STATUS].as_str())
        .collect();
    all.sort_unstable();
    all.join(" ")
}

#[cfg(test)]
mod tests {
    use super::super::request::get;
    use super::super::row::row;
    use super::*;

    #[test]
    fn the_same_agrees_and_anything_else_is_named() {
        let shown = row("shown", get("echo.test/"));
        let seen = of(&[(STATUS, "200"), (BY, "echo A"), ("backend saw path", "/")]);
        assert_eq!(judge(&shown, &seen, &seen), Verdict::Agree);
        let other = of(&[
            (STATUS, "200"),
            (BY, "echo A"),
            ("backend saw path", "/x"),
            ("response vary", "Origin"),
        ]);
        let Verdict::Wrong(wrong) = judge(&shown, &seen, &other) else {
            panic!("they differ");
        };
        assert_eq!(wrong.len(), 2, "{wrong:?}");
        assert!(
            wrong[0].contains("backend saw path") && wrong[1].contains("response vary"),
            "{wrong:?}"
        );
    }

    #[test]
    fn a_difference_covers_what_it_names_and_must_occur() {
        let shown = row("shown", get("echo.test/")).differs("broken-route-is-unavailable");
        let (traefik, sluice) = (
            of(&[(STATUS, "404"), (BY, PROXY)]),
            of(&[(STATUS, "503"), (BY, PROXY)]),
        );
        assert_eq!(
            judge(&shown, &traefik, &sluice),
            Verdict::Different(vec!["broken-route-is-unavailable"])
        );
        assert!(
            matches!(judge(&shown, &traefik, &traefik), Verdict::Wrong(_)),
            "it does not occur"
        );
        let more = of(&[(STATUS, "503"), (BY, PROXY), ("response vary", "Origin")]);
        assert!(
            matches!(judge(&shown, &traefik, &more), Verdict::Wrong(_)),
            "it covers the status only"
        );
    }

    fn of(pairs: &[(&str, &str)]) -> Vec<Observation> {
        vec![
            pairs
                .iter()
                .map(|(what, value)| ((*what).to_owned(), (*value).to_owned()))
                .collect(),
        ]
    }
}
