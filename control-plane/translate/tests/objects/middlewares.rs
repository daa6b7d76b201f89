//! Which changes of Middlewares and other objects of Traefik matter, and to whom.

use sluice_proto::{Kind, Resource, ResourceKey, RouteAction};
use sluice_translate::{Change, EdgeSettings, Objects, Translation, retranslate, translate};

use crate::make::{
    credentials, guarded, middleware, named, object, options, rebuilt, reference, served, service,
};

#[test]
fn a_middleware_concerns_whoever_depends_on_it_however_far_away() {
    let mut objects = guarded_in_three_ways();
    let limit = |average: u32| {
        object(&middleware(
            "default",
            "limit",
            &format!("{{rateLimit: {{average: {average}}}}}"),
        ))
    };
    let all = ["by-chain", "by-service", "direct"];
    // It is missed before it is there.
    for average in [1, 2] {
        assert_eq!(objects.apply(limit(average)), Change::Ingresses);
        assert_eq!(objects.take_changed(), named(&all));
    }
    assert_eq!(objects.apply(limit(2)), Change::Nothing);
    let noise = middleware("default", "limit", "{rateLimit: {average: 2}}")
        .replace("metadata: {", "metadata: {resourceVersion: '9', ");
    assert_eq!(objects.apply(object(&noise)), Change::Nothing);
    // Another one with the same id makes the name ambiguous.
    let twin = middleware("default", "limit.", "{compress: {}}");
    assert_eq!(objects.apply(object(&twin)), Change::Ingresses);
    assert_eq!(objects.take_changed(), named(&all));
}

#[test]
fn the_secrets_of_middlewares_are_referred_to_as_long_as_they_are() {
    let mut objects = guarded_in_three_ways();
    let auth = object(&middleware(
        "shared",
        "auth",
        "{basicAuth: {secret: users}}",
    ));
    assert_eq!(objects.apply(auth), Change::Ingresses);
    assert_eq!(objects.take_changed(), named(&["by-chain"]));
    let users = ("shared".to_owned(), "users".to_owned());
    let secrets = objects.take_referenced_secrets().unwrap();
    assert!(secrets.contains(&users), "{secrets:?}");
    let secret = object(&credentials("users"));
    assert_eq!(objects.apply(secret), Change::Ingresses);
    assert_eq!(objects.take_changed(), named(&["by-chain"]));
    assert_eq!(objects.take_referenced_secrets(), None);

    let nobodys = middleware("default", "other", "{basicAuth: {secret: others}}");
    assert_eq!(objects.apply(object(&nobodys)), Change::Nothing);
    assert_eq!(objects.take_referenced_secrets(), None);

    let mut chain = reference("Middleware", "chain");
    chain.namespace = "shared".to_owned();
    assert_eq!(objects.remove(&chain), Change::Ingresses);
    assert_eq!(objects.take_changed(), named(&["by-chain"]));
    let secrets = objects.take_referenced_secrets().unwrap();
    assert!(!secrets.contains(&users), "{secrets:?}");
}

#[test]
fn a_servers_transport_concerns_whoever_depends_on_it_and_so_do_its_secrets() {
    let mut objects = served();
    let secure = service("secure", 80).replace(
        "{name: secure}",
        "{name: secure, annotations: {traefik.ingress.kubernetes.io/service.serverstransport: \
         shared-trusting@kubernetescrd}}",
    );
    for text in [guarded("direct", "", "secure"), secure] {
        let _ = objects.apply(object(&text));
    }
    let _ = objects.take_changed();
    let _ = objects.take_referenced_secrets();
    let transport = |name: &str| {
        object(
            &middleware("shared", name, "{rootCAs: [{secret: users}]}")
                .replace("Middleware", "ServersTransport"),
        )
    };
    assert_eq!(objects.apply(transport("trusting")), Change::Ingresses);
    assert_eq!(objects.take_changed(), named(&["direct"]));
    assert_eq!(objects.apply(transport("trusting")), Change::Nothing);
    assert_eq!(objects.apply(transport("others")), Change::Nothing);
    let users = ("shared".to_owned(), "users".to_owned());
    let secrets = objects.take_referenced_secrets().unwrap();
    assert!(secrets.contains(&users), "{secrets:?}");
    // A Middleware of the same name is something else.
    let twin = object(&middleware("shared", "trusting", "{compress: {}}"));
    assert_eq!(objects.apply(twin), Change::Nothing);
    let secret = object(&credentials("users"));
    assert_eq!(objects.apply(secret), Change::Ingresses);
    assert_eq!(objects.take_changed(), named(&["direct"]));
}

#[test]
fn who_names_a_middleware_no_more_is_not_concerned_any_more() {
    let mut objects = guarded_in_three_ways();
    let limit = middleware("default", "limit", "{rateLimit: {average: 1}}");
    let _ = objects.apply(object(&limit));
    let _ = objects.take_changed();
    let _ = objects.apply(object(&service("guarded", 80)));
    assert_eq!(objects.take_changed(), named(&["by-service"]));
    assert_eq!(
        objects.remove(&reference("Middleware", "limit")),
        Change::Ingresses
    );
    assert_eq!(objects.take_changed(), named(&["by-chain", "direct"]));
}

#[test]
fn a_policy_that_changes_rebuilds_no_route() {
    let mut objects = served();
    let limit = |average: u32| {
        object(&middleware(
            "default",
            "limit",
            &format!("{{rateLimit: {{average: {average}}}}}"),
        ))
    };
    let _ = objects.apply(limit(1));
    for name in ["one", "two"] {
        let _ = objects.apply(object(&guarded(name, "default-limit@kubernetescrd", "web")));
    }
    let _ = objects.take_changed();
    let before = translate(&objects, &options(EdgeSettings::default()));
    let policy = "policy Middleware default/limit spec.rateLimit";
    let _ = objects.apply(limit(2));
    assert_eq!(rebuilt(&mut objects, &before), [policy]);
    // It is there as long as somebody names it.
    let before = translate(&objects, &options(EdgeSettings::default()));
    let _ = objects.apply(object(&guarded("one", "", "web")));
    let route = "route default/one one.example Prefix /";
    assert_eq!(rebuilt(&mut objects, &before), [route]);
    let before = translate(&objects, &options(EdgeSettings::default()));
    let _ = objects.remove(&reference("Ingress", "two"));
    let gone = rebuilt(&mut objects, &before);
    assert!(gone.contains(&format!("-{policy}")), "{gone:?}");
}

#[test]
fn passwords_that_are_gone_shut_the_door_at_once() {
    let mut objects = served();
    for text in [
        guarded("admin", "shared-auth@kubernetescrd", "web"),
        middleware("shared", "auth", "{basicAuth: {secret: users}}"),
        credentials("users"),
    ] {
        let _ = objects.apply(object(&text));
    }
    let _ = objects.take_changed();
    let before = translate(&objects, &options(EdgeSettings::default()));
    let key = ResourceKey::new(Kind::Route, "default/admin admin.example Prefix /");
    let unavailable = |translation: &Translation| match &*translation.resources[&key] {
        Resource::Route(route) => match &route.action {
            RouteAction::Backends(_) => (None, route.policies.len()),
            RouteAction::Unavailable(problem) => (Some(problem.code.clone()), route.policies.len()),
        },
        other => panic!("{other:?}"),
    };
    assert_eq!(unavailable(&before), (None, 1));
    let mut secret = reference("Secret", "users");
    secret.namespace = "shared".to_owned();
    assert_eq!(objects.remove(&secret), Change::Ingresses);
    let changed = objects.take_changed();
    assert_eq!(changed, named(&["admin"]));
    let after = retranslate(&objects, &before, changed);
    assert_eq!(
        unavailable(&after),
        (Some("MiddlewareUnusable".to_owned()), 0)
    );
}

/// Three Ingresses that depend on the Middleware `default/limit`, which is not there.
fn guarded_in_three_ways() -> Objects {
    let mut objects = served();
    for text in [
        guarded("direct", "default-limit@kubernetescrd", "web"),
        guarded("by-chain", "shared-chain@kubernetescrd", "web"),
        guarded("by-service", "", "guarded"),
        service("guarded", 80).replace(
            "{name: guarded}",
            "{name: guarded, annotations: {traefik.ingress.kubernetes.io/service.middlewares: default-limit@kubernetescrd}}",
        ),
        middleware("shared", "chain", "{chain: {middlewares: [{name: limit, namespace: default}, {name: auth}]}}"),
    ] {
        let _ = objects.apply(object(&text));
    }
    let _ = objects.take_changed();
    let _ = objects.take_referenced_secrets();
    objects
}
