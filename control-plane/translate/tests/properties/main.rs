//! What holds for all objects, however they come and however broken they are.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod middlewares;
mod objects_strategy;
mod policies;
mod settings;

use bytes::Bytes;
use proptest::prelude::*;
use proptest::sample::SizeRange;
use sluice_proto::{CertificateMaterial, Resource};
use sluice_translate::{
    Change, EdgeSettings, Object, Objects, Options, Translation, parse_objects, retranslate,
    translate,
};

use crate::objects_strategy::{Step, any_object, any_settings, any_steps};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    #[test]
    fn the_order_in_which_objects_arrive_does_not_matter(
        settings in any_settings(),
        (ordered, shuffled) in distinct(0..40).prop_flat_map(|objects| {
            (Just(objects.clone()), Just(objects).prop_shuffle())
        }),
    ) {
        let options = options(settings);
        let first = translate(&filled(ordered), &options);
        prop_assert_eq!(first, translate(&filled(shuffled), &options));
    }

    /// Whoever follows what each change says always has what a translation from scratch would give.
    #[test]
    fn a_change_says_what_must_be_translated_again(
        settings in any_settings(),
        steps in any_steps(),
    ) {
        let options = options(settings);
        let mut objects = Objects::default();
        let _ = objects.follow_settings(&options.settings);
        let mut current = translate(&objects, &options);
        for step in steps {
            let described = format!("{step:?}");
            let change = take(&mut objects, step);
            let changed = objects.take_changed();
            current = match change {
                Change::Nothing => current,
                Change::Surroundings | Change::Ingresses => {
                    retranslate(&objects, &current, changed)
                }
                Change::Everything => translate(&objects, &options),
            };
            prop_assert_eq!(&current, &translate(&objects, &options), "{:?} after {}", change, described);
        }
    }

    #[test]
    fn the_past_leaves_no_trace(
        settings in any_settings(),
        past in proptest::collection::vec(any_object(), 0..20),
        present in distinct(0..20),
    ) {
        let options = options(settings);
        let mut objects = filled(past.clone());
        for object in &past {
            let _ = objects.remove(&object.reference());
        }
        for object in present.clone() {
            let _ = objects.apply(object);
        }
        prop_assert_eq!(translate(&objects, &options), translate(&filled(present), &options));
    }

    #[test]
    fn data_planes_accept_every_resource(settings in any_settings(), objects in distinct(0..40)) {
        let translation = translate(&filled(objects), &options(settings));
        prop_assert_eq!(translation.snapshot.len(), translation.resources.len());
        for (key, resource) in &translation.resources {
            let entry = translation.snapshot.entry(key).unwrap();
            let parsed = Resource::parse(key, entry.body().clone());
            prop_assert_eq!(&parsed.unwrap(), &**resource);
        }
    }

    #[test]
    fn names_in_resources_lead_somewhere(settings in any_settings(), objects in distinct(0..40)) {
        check_names(&translate(&filled(objects), &options(settings)))?;
    }

    #[test]
    fn each_problem_names_object_field_and_remedy(settings in any_settings(), objects in distinct(0..40)) {
        for problem in translate(&filled(objects), &options(settings)).problems.iter() {
            let text = format!("{problem:?}");
            prop_assert!(!problem.object.kind.is_empty() && !problem.object.name.is_empty(), "{}", text);
            prop_assert!(!problem.field.is_empty() && !problem.message.is_empty(), "{}", text);
            prop_assert!(!problem.code.is_empty() && !problem.remedy.is_empty(), "{}", text);
        }
    }

    #[test]
    fn only_secrets_that_are_referred_to_are_read(settings in any_settings(), objects in distinct(0..40)) {
        let options = options(settings);
        let mut all = Objects::default();
        let _ = all.follow_settings(&options.settings);
        for object in objects.clone() {
            let _ = all.apply(object);
        }
        let referenced = all.referenced_secrets();
        let fewer = objects.into_iter().filter(|object| {
            let reference = object.reference();
            reference.kind != "Secret" || referenced.contains(&(reference.namespace, reference.name))
        });
        prop_assert_eq!(translate(&all, &options), translate(&filled(fewer.collect()), &options));
    }

    #[test]
    fn garbage_is_a_problem_and_no_panic(text in garbage()) {
        let parsed = parse_objects(&text);
        for problem in parsed.problems {
            prop_assert!(problem.line >= 1 && problem.line <= text.lines().count().max(1), "{}", problem);
        }
        let _ = EdgeSettings::parse(&text);
    }

    #[test]
    fn what_is_accepted_as_settings_data_planes_accept(text in any_settings_text()) {
        if let Ok(settings) = EdgeSettings::parse(&text) {
            let translation = translate(&Objects::default(), &options(settings));
            for (key, entry) in translation.snapshot.iter() {
                let parsed = Resource::parse(key, entry.body().clone());
                prop_assert_eq!(&parsed.unwrap(), &*translation.resources[key]);
            }
        }
    }
}

fn check_names(translation: &Translation) -> Result<(), TestCaseError> {
    let exists = |resource: &Resource| translation.resources.contains_key(&resource.key());
    let named = |kind, name: &str| {
        translation
            .resources
            .contains_key(&sluice_proto::ResourceKey::new(kind, name))
    };
    for resource in translation.resources.values() {
        prop_assert!(exists(resource));
        if let Resource::Route(route) = &**resource {
            for policy in &route.policies {
                prop_assert!(named(sluice_proto::Kind::Policy, policy.as_arc()));
            }
        }
        let settings = match &**resource {
            Resource::Route(route) => Some(&route.settings),
            Resource::Host(host) => Some(&host.settings),
            _ => None,
        };
        if let Some(settings) = settings {
            prop_assert!(named(sluice_proto::Kind::Settings, settings.as_str()));
        }
        let (backends, certificate) = match &**resource {
            Resource::Route(route) => {
                prop_assert!(named(sluice_proto::Kind::Host, &route.host.to_string()));
                let backends = match &route.action {
                    sluice_proto::RouteAction::Backends(backends) => backends.clone(),
                    sluice_proto::RouteAction::Unavailable(_) => Vec::new(),
                };
                (backends, route.certificate.clone())
            }
            Resource::Host(host) => (Vec::new(), host.certificate.clone()),
            Resource::Settings(settings) => {
                (Vec::new(), Some(settings.default_certificate.clone()))
            }
            _ => continue,
        };
        for weighted in backends {
            prop_assert!(named(
                sluice_proto::Kind::Backend,
                weighted.backend.as_arc()
            ));
        }
        if let Some(certificate) = certificate {
            prop_assert!(named(sluice_proto::Kind::Certificate, certificate.as_arc()));
        }
    }
    Ok(())
}

fn take(objects: &mut Objects, step: Step) -> Change {
    match step {
        Step::Apply(object) => objects.apply(*object),
        Step::Remove(reference) => objects.remove(&reference),
        Step::Deny(namespace) => objects.deny_secrets(&namespace),
        Step::Allow(namespace) => objects.allow_secrets(&namespace),
    }
}

fn filled(objects: Vec<Object>) -> Objects {
    let mut filled = Objects::default();
    for object in objects {
        let _ = filled.apply(object);
    }
    filled
}

/// Some objects, none of them twice.
fn distinct(size: impl Into<SizeRange>) -> impl Strategy<Value = Vec<Object>> {
    proptest::collection::vec(any_object(), size).prop_map(|mut objects| {
        objects.sort_by_key(Object::reference);
        objects.dedup_by_key(|object| object.reference());
        objects
    })
}

fn options(settings: EdgeSettings) -> Options {
    Options {
        settings,
        default_certificate: CertificateMaterial {
            chain: vec![Bytes::from_static(b"chain")],
            private_key: Bytes::from_static(b"key"),
            names: Vec::new(),
            not_before_unix_s: 0,
            not_after_unix_s: i64::MAX,
        },
    }
}

/// Texts that look like YAML, and some that do not.
fn garbage() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("---\n".to_owned()),
        Just("...\n".to_owned()),
        Just("apiVersion: v1\nkind: Service\n".to_owned()),
        Just("apiVersion: v1\nkind: List\nitems:\n- ".to_owned()),
        Just("apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: a}\n".to_owned()),
        Just(
            "spec:\n  rules:\n  - http: {paths: [{path: /, pathType: Prefix, backend: {}}]}\n"
                .to_owned()
        ),
        Just("data: {tls.crt: aGVsbG8=}\n".to_owned()),
        Just("&a [*a, *a]\n".to_owned()),
        Just("{\"a\": [".to_owned()),
        "[ -~\n\t]{0,20}",
        any::<String>(),
    ];
    proptest::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

fn any_settings_text() -> impl Strategy<Value = String> {
    let duration = prop_oneof![
        "[0-9]{1,3}(ms|s|m|h)",
        Just("0s".to_owned()),
        Just("721h".to_owned())
    ];
    let number = prop_oneof![
        any::<i64>().prop_map(|number| number.to_string()),
        (0..70_000_u32).prop_map(|n| n.to_string())
    ];
    let line = prop_oneof![
        duration.prop_map(|text| format!("timeouts: {{connect: {text}}}\n")),
        number
            .clone()
            .prop_map(|text| format!("limits: {{headerBytes: {text}}}\n")),
        number
            .clone()
            .prop_map(|text| format!("limits: {{headerCount: {text}, connections: {text}}}\n")),
        number.prop_map(|text| format!("listeners: [{{name: a, port: {text}, protocol: HTTP}}]\n")),
        "trustedProxies: \\{ranges: \\[[0-9a-f.:]{1,12}/[0-9]{1,3}\\], clientAddressHeader: [a-zA-Z-]{1,8}\\}\n",
        "accessLog: \\{enabled: (true|false|maybe)\\}\n",
        "missingCertificate: (DefaultCertificate|RefuseHandshake|Panic)\n",
    ];
    proptest::collection::vec(line, 0..3).prop_map(|lines| lines.concat())
}

const CASES: u32 = 256;
