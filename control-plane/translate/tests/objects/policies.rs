//! Which changes of Policies, and of what they and short annotations name, matter, and to whom.

use sluice_translate::{Change, EdgeSettings, Object, translate};

use crate::make::{
    credentials, named, object, options, rebuilt, reference, served, service, slice,
};

#[test]
fn a_policy_concerns_whoever_names_it_and_nobody_else() {
    let mut objects = served();
    for name in ["one", "two", "three"] {
        let names = if name == "three" { "other" } else { "limit" };
        let _ = objects.apply(object(&ingress(name, &format!("policies: '{names}'"))));
    }
    let _ = objects.take_changed();
    // It is missed before it is there.
    for requests in [1, 2] {
        assert_eq!(objects.apply(limit(requests)), Change::Ingresses);
        assert_eq!(objects.take_changed(), named(&["one", "two"]));
    }
    assert_eq!(objects.apply(limit(2)), Change::Nothing);
    let nobodys = policy("default", "nobodys", "{rateLimit: {requests: 1}}");
    assert_eq!(objects.apply(object(&nobodys)), Change::Nothing);
    let _ = objects.apply(object(&ingress("two", "policies: ''")));
    let _ = objects.take_changed();
    let policy = reference("Policy", "limit");
    assert_eq!(objects.remove(&policy), Change::Ingresses);
    assert_eq!(objects.take_changed(), named(&["one"]));
}

#[test]
fn a_policy_that_changes_rebuilds_no_route() {
    let mut objects = served();
    let _ = objects.apply(limit(1));
    let _ = objects.apply(object(&ingress("one", "policies: limit")));
    let _ = objects.take_changed();
    let before = translate(&objects, &options(EdgeSettings::default()));
    let _ = objects.apply(limit(2));
    let policy = "policy Policy default/limit spec.rateLimit";
    assert_eq!(rebuilt(&mut objects, &before), [policy]);
}

#[test]
fn the_secrets_of_policies_and_of_annotations_are_referred_to_as_long_as_they_are() {
    let mut objects = served();
    let _ = objects.take_referenced_secrets();
    let auth = |secret: &str| {
        object(&policy(
            "shared",
            "auth",
            &format!("{{shareWith: [default], basicAuth: {{secret: {secret}}}}}"),
        ))
    };
    let _ = objects.apply(auth("users"));
    assert_eq!(objects.take_referenced_secrets(), None);
    let _ = objects.apply(object(&ingress("one", "policies: shared/auth")));
    let _ = objects.apply(object(&ingress("two", "basic-auth: own")));
    let _ = objects.take_changed();
    let secret = |namespace: &str, name: &str| (namespace.to_owned(), name.to_owned());
    let secrets = objects.take_referenced_secrets().unwrap();
    assert!(secrets.contains(&secret("shared", "users")), "{secrets:?}");
    assert!(secrets.contains(&secret("default", "own")), "{secrets:?}");
    let users = object(&credentials("users"));
    assert_eq!(objects.apply(users), Change::Ingresses);
    assert_eq!(objects.take_changed(), named(&["one"]));
    let _ = objects.apply(auth("others"));
    let secrets = objects.take_referenced_secrets().unwrap();
    assert!(!secrets.contains(&secret("shared", "users")), "{secrets:?}");
    assert!(secrets.contains(&secret("shared", "others")), "{secrets:?}");
}

#[test]
fn the_service_of_a_canary_and_its_endpoints_matter() {
    let mut objects = served();
    let spec = "{canary: {service: {name: next, port: 80}, weight: 10}}";
    let _ = objects.apply(object(&policy("default", "canary", spec)));
    let _ = objects.apply(object(&ingress("one", "policies: canary")));
    let _ = objects.apply(object(&ingress("two", "canary: 'next:80 10'")));
    let _ = objects.take_changed();
    assert_eq!(
        objects.apply(object(&service("next", 80))),
        Change::Ingresses
    );
    assert_eq!(objects.take_changed(), named(&["one", "two"]));
    let before = translate(&objects, &options(EdgeSettings::default()));
    let endpoints = object(&slice("next-1", "next", "10.0.0.2", ""));
    assert_eq!(objects.apply(endpoints), Change::Surroundings);
    assert_eq!(
        rebuilt(&mut objects, &before),
        ["endpoints default/next:80"]
    );
}

#[test]
fn the_policies_of_a_class_concern_its_ingresses() {
    let mut objects = served();
    let settings = "apiVersion: ingress.sluice.dev/v1alpha1\nkind: Settings\nmetadata: {name: edge}\n\
                    spec: {policies: [{namespace: default, name: limit}]}\n";
    assert_eq!(objects.apply(object(settings)), Change::Everything);
    let _ = objects.take_changed();
    assert_eq!(objects.apply(limit(1)), Change::Ingresses);
    let all = objects.take_changed();
    assert_eq!(all.ingresses.len(), 1, "{all:?}");
}

fn limit(requests: u32) -> Object {
    let spec = format!("{{rateLimit: {{requests: {requests}}}}}");
    object(&policy("default", "limit", &spec))
}

fn policy(namespace: &str, name: &str, spec: &str) -> String {
    format!(
        "apiVersion: ingress.sluice.dev/v1alpha1\nkind: Policy\nmetadata: {{name: {name}, namespace: {namespace}}}\n\
         spec: {spec}\n"
    )
}

fn ingress(name: &str, annotation: &str) -> String {
    format!(
        "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: {name}\n  annotations:\n    \
         ingress.sluice.dev/{annotation}\nspec:\n  ingressClassName: sluice\n  rules:\n  - host: {name}.example\n    \
         http: {{paths: [{{path: /, pathType: Prefix, backend: {{service: {{name: web, port: {{number: 80}}}}}}}}]}}\n"
    )
}
