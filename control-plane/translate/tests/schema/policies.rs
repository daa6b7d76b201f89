//! Policies: their definition, the tables in docs/policies.md, and that the examples there do what they should.

use std::collections::BTreeSet;
use std::fs;

use sluice_proto::Resource;
use sluice_translate::{
    EdgeSettings, Object, Objects, Translation, parse_objects, policy_annotations,
    policy_definition, policy_fields, policy_steps, translate,
};

use crate::{END, assert_explained, check, options, repository, row};

#[test]
fn the_definition_among_the_manifests_is_that_of_the_types() {
    let definition = serde_saphyr::to_string(&policy_definition()).unwrap();
    let text = format!("{HEADER}{definition}");
    check(&repository("manifests/base/policy-crd.yaml"), &text);
}

#[test]
fn the_tables_in_the_documents_are_those_of_the_types() {
    let file = repository(DOCUMENT);
    let mut text = fs::read_to_string(&file).unwrap();
    for (name, table) in [
        ("steps", steps()),
        ("annotations", annotations()),
        ("fields", fields()),
    ] {
        let start =
            format!("<!-- {name}: made of the types: SLUICE_REWRITE_GOLDEN=1 writes it anew -->\n");
        let (before, rest) = text.split_once(&start).unwrap();
        let (_, after) = rest.split_once(END).unwrap();
        text = format!("{before}{start}\n{table}{END}{after}");
    }
    check(&file, &text);
}

#[test]
fn every_field_is_explained() {
    let fields = policy_fields();
    assert!(fields.len() > 100, "only {} fields are left", fields.len());
    assert_explained(&fields, &REQUIRED);
}

#[test]
fn each_field_has_its_place_in_the_order() {
    let steps: BTreeSet<_> = policy_steps().iter().map(|step| step.field).collect();
    assert_eq!(steps.len(), policy_steps().len());
    let fields = policy_fields();
    let top = fields.iter().map(|field| field.path.as_str());
    let top: BTreeSet<_> = top
        .filter(|path| !path.contains('.') && *path != "shareWith")
        .collect();
    assert_eq!(steps, top);
    for annotation in policy_annotations() {
        assert!(steps.contains(annotation.field), "{annotation:?}");
    }
}

#[test]
fn the_examples_in_the_documents_can_be_used_and_show_every_field() {
    let mut shown = BTreeSet::new();
    let text = fs::read_to_string(repository(DOCUMENT)).unwrap();
    for example in text.split("```yaml\n").skip(1) {
        let (example, _) = example.split_once("```").unwrap();
        let parsed = parse_objects(example);
        assert_eq!(parsed.problems, [], "{example}");
        let policies: Vec<_> = parsed
            .objects
            .iter()
            .filter_map(|object| match object {
                Object::Policy(policy) => Some(policy),
                _ => None,
            })
            .collect();
        assert!(!policies.is_empty(), "{example}");
        // What an example does not name itself, an Ingress names here.
        let names = policies
            .iter()
            .map(|policy| policy.metadata.name.as_deref().unwrap());
        let names: Vec<_> = names.filter(|name| *name != "staff").collect();
        let ingress = match names.as_slice() {
            [] => ingress("compression: 'false'"),
            names => ingress(&format!("policies: '{}'", names.join(", "))),
        };
        let translation = translated(&format!("{example}\n---\n{ingress}"));
        assert_eq!(translation.problems.to_vec(), [], "{example}");
        let does = said(&translation);
        for policy in policies {
            for field in policy.spec.as_object().unwrap().keys() {
                let name = policy.metadata.name.as_deref().unwrap();
                let published = does
                    .iter()
                    .any(|does| does.contains(&format!("/{name} spec.{field}")) || does == field);
                assert!(
                    published || field == "shareWith",
                    "{field} of {name} does nothing: {does:?}"
                );
                shown.insert(field.clone());
            }
        }
    }
    shown.remove("shareWith");
    let steps: BTreeSet<_> = policy_steps()
        .iter()
        .map(|step| step.field.to_owned())
        .collect();
    assert_eq!(shown, steps, "a field is without an example");
}

#[test]
fn the_examples_of_annotations_can_be_used() {
    for annotation in policy_annotations() {
        let name = annotation.key.strip_prefix(PREFIX).unwrap();
        let translation = translated(&ingress(&format!("{name}: '{}'", annotation.example)));
        assert_eq!(translation.problems.to_vec(), [], "{annotation:?}");
        let does = said(&translation);
        let published = does
            .iter()
            .any(|does| does.contains(&annotation.key) || does == annotation.field);
        assert!(published, "{annotation:?} does nothing: {does:?}");
    }
}

/// Returns the names of policies, and whether there is TLS with endpoints, a sticky route, or a canary.
fn said(translation: &Translation) -> BTreeSet<String> {
    let mut said = BTreeSet::new();
    for resource in translation.resources.values() {
        match &**resource {
            Resource::Backend(backend) if backend.tls.is_some() => {
                said.insert("upstreamTls".to_owned());
            }
            Resource::Policy(policy) => drop(said.insert(policy.name.to_string())),
            Resource::Route(route) => {
                if route.sticky.is_some() {
                    said.insert("sticky".to_owned());
                }
                if let sluice_proto::RouteAction::Backends(backends) = &route.action
                    && backends.len() > 1
                {
                    said.insert("canary".to_owned());
                }
            }
            _ => {}
        }
    }
    said
}

fn ingress(annotation: &str) -> String {
    format!(
        "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: shown\n  annotations:\n    {PREFIX}{annotation}\n\
         spec:\n  ingressClassName: sluice\n  rules:\n  - host: shown.example.com\n    http: {{paths: [{{path: /, \
         pathType: Prefix, backend: {{service: {{name: web, port: {{number: 80}}}}}}}}]}}\n"
    )
}

fn translated(text: &str) -> Translation {
    let mut all = SURROUNDINGS.to_owned();
    for (service, port) in [("web", 80), ("web-canary", 80), ("auth", 8080)] {
        all.push_str(&format!(
            "---\napiVersion: v1\nkind: Service\nmetadata: {{name: {service}}}\nspec: {{clusterIP: None, ports: [{{port: {port}}}]}}\n\
             ---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {{name: {service}, labels: \
             {{kubernetes.io/service-name: {service}}}}}\naddressType: IPv4\nports: [{{port: 8080}}]\n\
             endpoints: [{{addresses: [10.1.0.1]}}]\n"
        ));
    }
    for secret in WITH_AUTHORITIES {
        all.push_str(&format!(
            "---\napiVersion: v1\nkind: Secret\nmetadata: {{name: {secret}}}\nstringData:\n  ca.crt: |\n{AUTHORITY}"
        ));
    }
    let parsed = parse_objects(&format!("{all}---\n{text}"));
    assert_eq!(parsed.problems, [], "{text}");
    let settings = EdgeSettings::default();
    let mut objects = Objects::default();
    let _ = objects.follow_settings(&settings);
    for object in parsed.objects {
        let _ = objects.apply(object);
    }
    translate(&objects, &options(settings))
}

fn steps() -> String {
    let fields = policy_fields();
    let mut table = "| | Field | Does | If broken |\n|---|---|---|---|\n".to_owned();
    for (index, step) in policy_steps().iter().enumerate() {
        let field = fields.iter().find(|field| field.path == step.field);
        let broken = if step.protects {
            "503"
        } else {
            "served without"
        };
        let cells = [
            (index + 1).to_string(),
            format!("`{}`", step.field),
            field.unwrap().meaning.clone(),
            broken.to_owned(),
        ];
        row(&mut table, &cells);
    }
    table
}

fn annotations() -> String {
    let mut table = "| Annotation | Such as | Means | Field |\n|---|---|---|---|\n".to_owned();
    for annotation in policy_annotations() {
        let cells = [
            format!("`{}`", annotation.key.strip_prefix(PREFIX).unwrap()),
            format!("`{}`", annotation.example),
            annotation.meaning.to_owned(),
            format!("`{}`", annotation.field),
        ];
        row(&mut table, &cells);
    }
    table
}

fn fields() -> String {
    let mut table = "| Field | Meaning | May be | Default |\n|---|---|---|---|\n".to_owned();
    for field in policy_fields() {
        let cells = [
            format!("`{}`", field.path),
            field.meaning.clone(),
            field.value.clone(),
            field.default.clone(),
        ];
        row(&mut table, &cells);
    }
    table
}

const DOCUMENT: &str = "docs/policies.md";
const PREFIX: &str = "ingress.sluice.dev/";
const HEADER: &str = "\
# Made of the types in control-plane/translate/src/policies/spec.rs: a test fails when it is stale, and writes it anew with
# SLUICE_REWRITE_GOLDEN=1.
";
const SURROUNDINGS: &str = "\
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: sluice}
spec: {controller: ingress.sluice.dev/controller}
---
apiVersion: v1
kind: Secret
metadata: {name: users}
stringData: {users: 'ada:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g='}
";
/// One for each of [`WITH_AUTHORITIES`].
const AUTHORITY: &str = "    -----BEGIN CERTIFICATE-----
    MIIBozCCAUqgAwIBAgIUc95W4I05Klnc+iVhyRvFPKkHP3gwCgYIKoZIzj0EAwIw
    EjEQMA4GA1UEAwwHZXhhbXBsZTAgFw0yNjExMjMyMTM1MzdaGA8yMTI2MTEyMzIx
    MzUzN1owEjEQMA4GA1UEAwwHZXhhbXBsZTBZMBMGByqGSM49AgEGCCqGSM49AwEH
    A0IABHQ9mXXWj1eAbTmaZaws5OuftD4w0JaSJCfE9PN8hn4D8msZNLqB7IS14sIj
    JBXWAD7cDwuomtOKonDmlDC+i0GjfDB6MB0GA1UdDgQWBBRcrpBEC8oD2kABjKpC
    Rj2t8aFNwzAfBgNVHSMEGDAWgBRcrpBEC8oD2kABjKpCRj2t8aFNwzAPBgNVHRMB
    Af8EBTADAQH/MCcGA1UdEQQgMB6CC2V4YW1wbGUuY29tgg93d3cuZXhhbXBsZS5j
    b20wCgYIKoZIzj0EAwIDRwAwRAIgcy6EQDeptR6G5vmwCJS4YPmhJ0FZRt4/mZzU
    biChcoMCICGzum7A4HKTbmmhS3BDHrd2zIFlDyK/dm2FYyt1gaHc
    -----END CERTIFICATE-----
";
const WITH_AUTHORITIES: [&str; 2] = ["internal-ca", "clients-ca"];
/// Fields that must be there.
const REQUIRED: [&str; 14] = [
    "basicAuth.secret",
    "canary.cookie.name",
    "canary.cookie.value",
    "canary.header.name",
    "canary.service.name",
    "canary.service.port",
    "clientCertificates.caSecret",
    "concurrencyLimit.requests",
    "forwardAuth.service.name",
    "forwardAuth.service.port",
    "rateLimit.requests",
    "requestBody.limit",
    "responseBody.limit",
    "retry.attempts",
];
