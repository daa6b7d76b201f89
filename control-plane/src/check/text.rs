//! Writes a report for people: hosts as headings, a line a path, then what is wrong and what is to be known.
//!
//! It decides nothing: the report does (`report.rs`). The same objects give the same text, so two of them can be compared
//! by diff.

use std::fmt::Write;

use crate::check::report::{FoundProblem, Report, ServedBackend, ServedHost, ServedPath};

/// Returns the report as text.
pub(super) fn render(report: &Report) -> String {
    let mut out = String::new();
    for host in &report.hosts {
        self::host(&mut out, host);
        out.push('\n');
    }
    for problem in &report.problems {
        self::problem(&mut out, problem);
        out.push('\n');
    }
    for note in &report.notes {
        line(&mut out, &format!("note: {}", note.message));
    }
    if !report.notes.is_empty() {
        out.push('\n');
    }
    line(&mut out, &summary(report));
    out
}

fn host(out: &mut String, host: &ServedHost) {
    match &host.certificate {
        Some(certificate) => line(out, &format!("{} (certificate {certificate})", host.host)),
        None => line(out, &host.host),
    }
    if host.paths.is_empty() {
        line(out, "  no path: only TLS clients see that it is named");
    }
    let rows: Vec<_> = host.paths.iter().map(row).collect();
    let width = |column: usize| {
        let widths = rows.iter().map(|row| row[column].chars().count());
        widths.max().unwrap_or_default()
    };
    let widths = [width(0), width(1), width(2)];
    for ([path_type, path, answer, ingress], served) in rows.iter().zip(&host.paths) {
        let [first, second, third] = widths;
        line(
            out,
            &format!("  {path_type:first$} {path:second$}  {answer:third$}  {ingress}"),
        );
        for policy in &served.policies {
            line(out, &format!("    by {policy}"));
        }
        if let Some(cookie) = &served.sticky {
            line(out, &format!("    sticky by the cookie {cookie}"));
        }
        for backend in &served.backends {
            let name = &backend.name;
            if let Some(tls) = &backend.tls {
                line(out, &format!("    {name} over TLS: {tls}"));
            }
            for found in &backend.matches {
                line(out, &format!("    {name} for requests {found}"));
            }
        }
    }
}

/// Returns the type of a path, the path, who answers, and the Ingress that says so.
fn row(path: &ServedPath) -> [String; 4] {
    let answer = match &path.unavailable {
        Some(code) => format!("503 {code}"),
        None => backends(&path.backends),
    };
    [
        path.path_type.clone(),
        path.path.clone(),
        answer,
        path.ingress.0.to_string(),
    ]
}

fn backends(backends: &[ServedBackend]) -> String {
    let backend = |backend: &ServedBackend| {
        let mut text = backend.name.clone();
        if backends.len() > 1 {
            text.push_str(&format!(" weight {}", backend.weight));
        }
        if let Some(answers) = &backend.answers {
            text.push_str(&format!(" ({answers})"));
        }
        text
    };
    let backends: Vec<_> = backends.iter().map(backend).collect();
    backends.join(", ")
}

fn problem(out: &mut String, problem: &FoundProblem) {
    let location = match &problem.location {
        Some(location) => format!("{}:{}: ", location.file, location.line),
        None => String::new(),
    };
    line(out, &format!("{location}{}", problem.code));
    let object = match &problem.object.0 {
        // The document does not say what it is, and the file is named already.
        object if object.kind == "File" => String::new(),
        object => object.to_string(),
    };
    let place = [object.as_str(), &problem.field];
    let place: Vec<_> = (place.into_iter())
        .filter(|part| !part.is_empty())
        .collect();
    if !place.is_empty() {
        line(out, &format!("  {}", place.join(", ")));
    }
    line(out, &format!("  {}", problem.message));
    line(out, &format!("  {}", problem.remedy));
}

fn summary(report: &Report) -> String {
    let paths: usize = report.hosts.iter().map(|host| host.paths.len()).sum();
    let problems = match report.problems.len() {
        0 => "no problem".to_owned(),
        problems => count(problems, "problem"),
    };
    format!(
        "{}, {}, {problems}",
        count(report.hosts.len(), "host"),
        count(paths, "path")
    )
}

fn count(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

fn line(out: &mut String, text: &str) {
    // A String takes all that is written to it.
    let _ = writeln!(out, "{}", text.trim_end());
}
