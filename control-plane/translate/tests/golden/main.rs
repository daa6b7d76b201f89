//! The behaviour of translation as pairs of files: `testdata/NAME.in.yaml` holds Kubernetes objects and, first,
//! optionally the settings; `testdata/NAME.out.yaml` what they mean. `SLUICE_REWRITE_GOLDEN=1` writes the latter.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod render;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use sluice_proto::CertificateMaterial;
use sluice_translate::{EdgeSettings, Objects, Options, ParsedObjects, parse_objects, translate};

#[test]
fn golden() {
    let rewrite = std::env::var_os("SLUICE_REWRITE_GOLDEN").is_some();
    let mut wrong = Vec::new();
    let names = names(".in.yaml");
    for name in &names {
        let text = fs::read_to_string(file(name, ".in.yaml")).unwrap();
        assert!(
            text.starts_with("# "),
            "{name}.in.yaml does not say what it shows"
        );
        let rendered = format!("{}\n{}", text.lines().next().unwrap(), translated(&text));
        assert!(!rendered.contains("PRIVATE"), "{name}.out.yaml has a key");
        let out = file(name, ".out.yaml");
        if rewrite {
            fs::write(&out, &rendered).unwrap();
        } else if fs::read_to_string(&out).ok().as_ref() != Some(&rendered) {
            wrong.push(format!("=== {name}.out.yaml should be\n{rendered}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{}\n{} of {} differ; if that is right, set SLUICE_REWRITE_GOLDEN=1 and read what it writes",
        wrong.join("\n"),
        wrong.len(),
        names.len()
    );
    assert!(names.len() >= FEWEST, "only {} pairs are left", names.len());
    assert_eq!(self::names(".out.yaml"), names, "an output has no input");
}

fn translated(text: &str) -> String {
    let (settings, objects) = split(text);
    let ParsedObjects {
        objects: parsed,
        problems,
    } = parse_objects(&objects);
    let options = Options {
        settings: EdgeSettings::parse(&settings).expect("the settings can be used"),
        default_certificate: CertificateMaterial {
            chain: vec![Bytes::from_static(b"chain")],
            private_key: Bytes::from_static(b"key"),
            names: vec!["default".to_owned()],
            not_before_unix_s: 0,
            not_after_unix_s: i64::MAX,
        },
    };
    let mut objects = Objects::default();
    let _ = objects.follow_settings(&options.settings);
    for object in parsed {
        let _ = objects.apply(object);
    }
    let secrets = objects.referenced_secrets();
    for (namespace, _) in secrets
        .iter()
        .filter(|(namespace, _)| namespace == FORBIDDEN)
    {
        let _ = objects.deny_secrets(namespace);
    }
    render::render(
        &translate(&objects, &options),
        &options,
        &secrets,
        &problems,
    )
}

/// Takes the settings out, without the two lines that say what they are.
fn split(text: &str) -> (String, String) {
    let Some(start) = text.find(SETTINGS) else {
        return (String::new(), text.to_owned());
    };
    let end = text[start..]
        .find("\n---")
        .map_or(text.len(), |end| start + end);
    let settings = text[start + SETTINGS.len()..end].to_owned();
    (settings, format!("{}{}", &text[..start], &text[end..]))
}

fn names(end: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(folder()).unwrap();
    let files = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    files
        .filter_map(|file| file.strip_suffix(end).map(str::to_owned))
        .collect()
}

fn file(name: &str, end: &str) -> PathBuf {
    folder().join(format!("{name}{end}"))
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata")
}

const SETTINGS: &str = "apiVersion: ingress.sluice.dev/v1alpha1\nkind: EdgeSettings\n";
/// The namespace whose Secrets the control plane of these tests may not read.
const FORBIDDEN: &str = "forbidden";
const FEWEST: usize = 40;
