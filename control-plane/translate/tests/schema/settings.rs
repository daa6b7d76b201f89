//! The settings: their definition, the table in docs/settings.md, and that what both say is true.

use std::fs;

use sluice_translate::{
    EdgeSettings, Object, Objects, SpecField, parse_objects, settings_definition, settings_fields,
    translate,
};

use crate::{END, assert_explained, check, options, repository, row};

#[test]
fn the_definition_among_the_manifests_is_that_of_the_types() {
    let definition = serde_saphyr::to_string(&settings_definition()).unwrap();
    let text = format!("{HEADER}{definition}");
    check(&repository("manifests/base/settings-crd.yaml"), &text);
}

#[test]
fn the_table_in_the_documents_is_that_of_the_types() {
    let file = repository("docs/settings.md");
    let text = fs::read_to_string(&file).unwrap();
    let (before, rest) = text.split_once(START).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let table = table(&settings_fields());
    check(&file, &format!("{before}{START}{table}{END}{after}"));
}

#[test]
fn every_field_is_explained() {
    let fields = settings_fields();
    assert!(fields.len() > 40, "only {} fields are left", fields.len());
    assert_explained(&fields, &REQUIRED);
}

#[test]
fn what_is_said_to_be_the_default_is() {
    for field in settings_fields() {
        if field.default.is_empty() || IN_WORDS.contains(&&*field.path) {
            continue;
        }
        let (parts, close) = (
            field.path.replace('.', ": {"),
            field.path.matches('.').count(),
        );
        let text = format!("{parts}: {}{}", field.default, "}".repeat(close));
        assert_eq!(
            EdgeSettings::parse(&text),
            Ok(EdgeSettings::default()),
            "{text}"
        );
    }
}

#[test]
fn the_documents_date_what_is_built_in() {
    let settings = EdgeSettings::default();
    let mut fields = settings_fields().into_iter();
    let sets = fields.find(|field| field.path == "proxySets").unwrap();
    for (name, set) in &settings.proxy_sets {
        assert_eq!(sets.default, format!("{name}, as of {}", set.date));
        assert_eq!(set.ranges.len(), 22, "a range of {name} is none");
    }
}

#[test]
fn the_examples_can_be_used() {
    for (file, least) in [("docs/settings.md", 2), ("docs/cloudflare.md", 1)] {
        let text = fs::read_to_string(repository(file)).unwrap();
        let examples: Vec<_> = text.split("```yaml\n").skip(1).collect();
        assert!(examples.len() >= least, "{file}");
        for example in examples {
            let (example, _) = example.split_once("```").unwrap();
            if example.contains("kind:") {
                let parsed = parse_objects(example);
                assert_eq!(parsed.problems, [], "{example}");
                assert!(!parsed.objects.is_empty());
                let mut objects = Objects::default();
                let settings = EdgeSettings::default();
                for object in parsed.objects {
                    assert!(matches!(
                        object,
                        Object::Settings(_) | Object::IngressClass(_)
                    ));
                    let _ = objects.apply(object);
                }
                assert_eq!(
                    problems(&objects, &settings),
                    Vec::<String>::new(),
                    "{example}"
                );
            } else {
                let parsed = EdgeSettings::parse(example);
                assert!(parsed.is_ok(), "{parsed:?}\n{example}");
            }
        }
    }
}

fn problems(objects: &Objects, settings: &EdgeSettings) -> Vec<String> {
    let translation = translate(objects, &options(settings.clone()));
    translation
        .problems
        .iter()
        .map(ToString::to_string)
        .collect()
}

fn table(fields: &[SpecField]) -> String {
    let mut table =
        "\n| Field | Meaning | May be | Default | In a class |\n|---|---|---|---|---|\n".to_owned();
    for field in fields {
        let mut default = field.default.clone();
        if !field.broken.is_empty() && field.broken != field.default {
            default.push_str(&format!("; broken: {}", field.broken));
        }
        let cells = [
            format!("`{}`", field.path),
            field.meaning.clone(),
            field.value.clone(),
            default,
            if field.is_edge_only { "no" } else { "yes" }.to_owned(),
        ];
        row(&mut table, &cells);
    }
    table
}

const HEADER: &str = "\
# Made of the types in control-plane/translate/src/settings/spec.rs: a test fails when it is stale, and writes it anew with
# SLUICE_REWRITE_GOLDEN=1.
";
const START: &str = "<!-- made of the types: SLUICE_REWRITE_GOLDEN=1 writes it anew -->\n";
/// Fields that must be there.
const REQUIRED: [&str; 7] = [
    "defaultCertificate.namespace",
    "defaultCertificate.secretName",
    "listeners[].name",
    "listeners[].port",
    "listeners[].protocol",
    "policies[].name",
    "policies[].namespace",
];
/// Fields whose default is nothing that one could write, or not only.
const IN_WORDS: [&str; 11] = [
    "defaultCertificate",
    "listeners",
    "listeners[].address",
    "metrics.allowedRanges",
    "policies",
    "proxySets",
    "proxySets.NAME.date",
    "proxySets.NAME.ranges",
    "status.addresses",
    "trustedProxies.ranges",
    "trustedProxies.sets",
];
