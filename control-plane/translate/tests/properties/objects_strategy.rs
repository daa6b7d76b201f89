//! Makes objects that meet each other often: few names, few hosts, and everything that can be wrong with them.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{
    Node, NodeSpec, Secret, Service, ServicePort, ServiceSpec, TypedLocalObjectReference,
};
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointConditions, EndpointPort, EndpointSlice};
use k8s_openapi::api::networking::v1::{
    HTTPIngressPath, HTTPIngressRuleValue, Ingress, IngressBackend, IngressClass,
    IngressClassParametersReference, IngressClassSpec, IngressRule, IngressServiceBackend,
    IngressSpec, IngressTLS, ServiceBackendPort,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use proptest::collection::{btree_map, vec};
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;
use sluice_proto::ObjectReference;
use sluice_translate::{EdgeSettings, Object, SecretReference, parse_objects};

use crate::middlewares::{any_guarded, any_list, any_of_traefik};
use crate::policies::{any_annotations, any_policy};
use crate::settings;

/// One thing that happens to the objects.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Apply(Box<Object>),
    Remove(ObjectReference),
    Deny(String),
    Allow(String),
}

/// Some things that happen one after the other, to Ingresses of a class that is ours.
pub(crate) fn any_steps() -> impl Strategy<Value = Vec<Step>> {
    vec(any_step(), 0..60).prop_map(|mut steps| {
        steps.insert(0, Step::Apply(Box::new(Object::IngressClass(our_class()))));
        steps
    })
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => any_object().prop_map(|object| Step::Apply(Box::new(object))),
        3 => any_object().prop_map(|object| Step::Remove(object.reference())),
        2 => any_guarded().prop_map(|object| Step::Apply(Box::new(object))),
        3 => crate::policies::any_guarded().prop_map(|object| Step::Apply(Box::new(object))),
        1 => select(NAMESPACES).prop_map(|namespace| Step::Deny(namespace.to_owned())),
        1 => select(NAMESPACES).prop_map(|namespace| Step::Allow(namespace.to_owned())),
    ]
}

pub(crate) fn any_settings() -> impl Strategy<Value = EdgeSettings> {
    (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |(external, across, default, adopt)| {
            let mut settings = EdgeSettings::default();
            settings.ingress.allow_external_name = external;
            settings.ingress.hosts_across_namespaces = across;
            if adopt {
                settings.ingress.controllers.insert("other".to_owned());
            }
            settings.default_certificate = default.then(|| SecretReference {
                namespace: "a".to_owned(),
                name: "s".to_owned(),
            });
            settings
        },
    )
}

pub(crate) fn any_object() -> impl Strategy<Value = Object> {
    prop_oneof![
        1 => class().prop_map(Object::IngressClass),
        6 => ingress().prop_map(Object::Ingress),
        4 => service().prop_map(Object::Service),
        4 => slice().prop_map(Object::EndpointSlice),
        2 => secret().prop_map(Object::Secret),
        1 => node().prop_map(Object::Node),
        6 => any_of_traefik(),
        4 => any_policy().prop_map(Object::Policy),
        1 => settings::settings().prop_map(Object::Settings),
    ]
}

fn our_class() -> IngressClass {
    IngressClass {
        metadata: ObjectMeta {
            name: Some("ours".to_owned()),
            ..ObjectMeta::default()
        },
        spec: Some(IngressClassSpec {
            controller: Some("ingress.sluice.dev/controller".to_owned()),
            parameters: None,
        }),
    }
}

fn node() -> impl Strategy<Value = Node> {
    let ranges = select(&["10.244.0.0/24", "10.244.1.0/24"][..]);
    (metadata(&["node-a", "node-b"]), of(ranges)).prop_map(|(mut metadata, range)| {
        metadata.namespace = None;
        Node {
            metadata,
            spec: Some(NodeSpec {
                pod_cidr: range.map(str::to_owned),
                ..NodeSpec::default()
            }),
            status: None,
        }
    })
}

fn class() -> impl Strategy<Value = IngressClass> {
    let controller = select(&["ingress.sluice.dev/controller", "other"][..]);
    let parameters = of(select(&["edge", "mine", "missing"][..])).prop_map(|name| {
        Some(IngressClassParametersReference {
            api_group: Some("ingress.sluice.dev".to_owned()),
            kind: "Settings".to_owned(),
            name: name?.to_owned(),
            ..IngressClassParametersReference::default()
        })
    });
    let parts = (
        metadata(&["ours", "theirs"]),
        controller,
        any::<bool>(),
        parameters,
    );
    parts.prop_map(|(mut metadata, controller, default, parameters)| {
        metadata.namespace = None;
        if default {
            let key = "ingressclass.kubernetes.io/is-default-class".to_owned();
            metadata.annotations = Some(BTreeMap::from([(key, "true".to_owned())]));
        }
        IngressClass {
            metadata,
            spec: Some(IngressClassSpec {
                controller: Some(controller.to_owned()),
                parameters,
            }),
        }
    })
}

pub(crate) fn ingress() -> impl Strategy<Value = Ingress> {
    let spec = IngressSpecParts {
        class: of(select(&["ours", "ours", "theirs", "missing"][..])).boxed(),
        default: proptest::option::weighted(0.3, backend()).boxed(),
        rules: of(vec(rule(), 0..4)).boxed(),
        tls: of(vec(tls(), 0..3)).boxed(),
    };
    (metadata(&["i", "j", "k"]), annotations(), spec.strategy()).prop_map(
        |(mut metadata, annotations, spec)| {
            metadata.annotations = Some(annotations);
            Ingress {
                metadata,
                spec: Some(spec),
                status: None,
            }
        },
    )
}

struct IngressSpecParts {
    class: BoxedStrategy<Option<&'static str>>,
    default: BoxedStrategy<Option<IngressBackend>>,
    rules: BoxedStrategy<Option<Vec<IngressRule>>>,
    tls: BoxedStrategy<Option<Vec<IngressTLS>>>,
}

impl IngressSpecParts {
    fn strategy(self) -> impl Strategy<Value = IngressSpec> {
        (self.class, self.default, self.rules, self.tls).prop_map(
            |(class, default_backend, rules, tls)| IngressSpec {
                ingress_class_name: class.map(str::to_owned),
                default_backend,
                rules,
                tls,
            },
        )
    }
}

fn rule() -> impl Strategy<Value = IngressRule> {
    let path = (of(select(PATHS)), select(PATH_TYPES), backend()).prop_map(
        |(path, path_type, backend)| HTTPIngressPath {
            path: path.map(str::to_owned),
            path_type: path_type.to_owned(),
            backend,
        },
    );
    (of(select(HOSTS)), of(vec(path, 0..3))).prop_map(|(host, paths)| IngressRule {
        host: host.map(str::to_owned),
        http: paths.map(|paths| HTTPIngressRuleValue { paths }),
    })
}

fn tls() -> impl Strategy<Value = IngressTLS> {
    (
        of(vec(select(HOSTS), 0..3)),
        of(select(&["s", "t", ""][..])),
    )
        .prop_map(|(hosts, secret)| IngressTLS {
            hosts: hosts.map(|hosts| hosts.into_iter().map(str::to_owned).collect()),
            secret_name: secret.map(str::to_owned),
        })
}

fn backend() -> impl Strategy<Value = IngressBackend> {
    let port =
        (of(select(&["http", "grpc", ""][..])), of(select(PORTS))).prop_map(|(name, number)| {
            ServiceBackendPort {
                name: name.map(str::to_owned),
                number,
            }
        });
    let number = select(PORTS).prop_map(|number| ServiceBackendPort {
        name: None,
        number: Some(number),
    });
    let service = (
        select(SERVICES),
        prop_oneof![3 => of(number), 1 => of(port)],
    )
        .prop_map(|(name, port)| IngressServiceBackend {
            name: name.to_owned(),
            port,
        });
    (
        proptest::option::weighted(0.9, service),
        proptest::option::weighted(0.1, Just(())),
    )
        .prop_map(|(service, resource)| IngressBackend {
            service,
            resource: resource.map(|()| TypedLocalObjectReference::default()),
        })
}

pub(crate) fn service() -> impl Strategy<Value = Service> {
    let port = (
        select(&["http", "grpc", ""][..]),
        select(PORTS),
        of(select(&["UDP", "TCP"][..])),
        of(select(PROTOCOLS)),
        of(select(TARGETS)),
    )
        .prop_map(|(name, port, protocol, app_protocol, target)| ServicePort {
            name: Some(name.to_owned()).filter(|name| !name.is_empty()),
            port,
            protocol: protocol.map(str::to_owned),
            app_protocol: app_protocol.map(str::to_owned),
            target_port: target.map(|target| match target.parse() {
                Ok(number) => IntOrString::Int(number),
                Err(_) => IntOrString::String(target.to_owned()),
            }),
            ..ServicePort::default()
        });
    let address = of(select(&["None", "", "10.0.0.1", "fd00::1", "nonsense"][..]));
    let external =
        proptest::option::weighted(0.2, select(&["example.org", "localhost", "127.1", ""][..]));
    (
        metadata(SERVICES),
        annotations(),
        of(vec(port, 0..4)),
        address,
        external,
    )
        .prop_map(|(mut metadata, annotations, ports, address, external)| {
            metadata.annotations = Some(annotations);
            Service {
                metadata,
                spec: Some(ServiceSpec {
                    ports,
                    cluster_ip: address.map(str::to_owned),
                    type_: external.map(|_| "ExternalName".to_owned()),
                    external_name: external.map(str::to_owned),
                    ..ServiceSpec::default()
                }),
                status: None,
            }
        })
}

fn slice() -> impl Strategy<Value = EndpointSlice> {
    let port =
        (of(select(&["http", "grpc", ""][..])), of(select(PORTS))).prop_map(|(name, port)| {
            EndpointPort {
                name: name.map(str::to_owned),
                port,
                ..EndpointPort::default()
            }
        });
    let conditions = (of(any::<bool>()), of(any::<bool>()), of(any::<bool>())).prop_map(
        |(ready, serving, terminating)| EndpointConditions {
            ready,
            serving,
            terminating,
        },
    );
    let endpoint = (
        vec(
            select(&["10.1.0.1", "10.1.0.2", "fd00::2", "x", "0.0.0.0"][..]),
            0..2,
        ),
        of(conditions),
        of(select(&["n", ""][..])),
    )
        .prop_map(|(addresses, conditions, node)| Endpoint {
            addresses: addresses.into_iter().map(str::to_owned).collect(),
            conditions,
            node_name: node.map(str::to_owned),
            ..Endpoint::default()
        });
    let parts = (
        select(&["IPv4", "IPv6", "FQDN"][..]),
        of(select(SERVICES)),
        of(vec(port, 0..3)),
        vec(endpoint, 0..4),
    );
    (metadata(&["e", "f", "g"]), parts).prop_map(
        |(mut metadata, (address_type, service, ports, endpoints))| {
            let label = "kubernetes.io/service-name".to_owned();
            metadata.labels = service.map(|service| BTreeMap::from([(label, service.to_owned())]));
            EndpointSlice {
                metadata,
                address_type: address_type.to_owned(),
                ports,
                endpoints,
            }
        },
    )
}

pub(crate) fn secret() -> impl Strategy<Value = Secret> {
    let garbage = vec(any::<u8>(), 0..20).prop_map(ByteString);
    let key = select(&["users", "more"][..]).prop_map(str::to_owned);
    let users = btree_map(key, Just(HASHED.to_vec()).prop_map(ByteString), 1..3);
    let data = prop_oneof![
        2 => users,
        2 => select(&GOOD_SECRETS[..]).prop_map(|secret| secret.data.unwrap_or_default()),
        1 => btree_map(select(&["tls.crt", "tls.key", "ca.crt"][..]).prop_map(str::to_owned), garbage, 0..3),
    ];
    (metadata(&["s", "t"]), data).prop_map(|(metadata, data)| Secret {
        metadata,
        data: Some(data),
        ..Secret::default()
    })
}

fn annotations() -> impl Strategy<Value = BTreeMap<String, String>> {
    let key = select(ANNOTATIONS).prop_map(str::to_owned);
    let value = select(&["true", "false", "ours", "web", ""][..]).prop_map(str::to_owned);
    prop_oneof![3 => Just(BTreeMap::new()), 1 => btree_map(key, value, 0..3), 2 => any_list(), 2 => any_annotations()]
}

pub(crate) fn metadata(names: &'static [&'static str]) -> impl Strategy<Value = ObjectMeta> {
    (
        select(NAMESPACES),
        select(names),
        of(0..3_i64),
        of(any::<i64>()),
    )
        .prop_map(|(namespace, name, created, version)| {
            let time = |created| jiff::Timestamp::from_second(created).ok().map(Time);
            ObjectMeta {
                namespace: Some(namespace.to_owned()),
                name: Some(name.to_owned()),
                creation_timestamp: created.and_then(time),
                // Nobody reads it: a change of it must be none.
                resource_version: version.map(|version| version.to_string()),
                ..ObjectMeta::default()
            }
        })
}

/// The Secrets of the golden tests, as far as they can be used.
static GOOD_SECRETS: LazyLock<Vec<Secret>> = LazyLock::new(|| {
    let parsed = parse_objects(include_str!("../../testdata/tls-wildcard-host.in.yaml"));
    let secrets = parsed
        .objects
        .into_iter()
        .filter_map(|object| match object {
            Object::Secret(secret) => Some(secret),
            _ => None,
        });
    secrets
        .map(|mut secret| {
            let texts = secret.string_data.take().unwrap_or_default();
            let data = texts
                .into_iter()
                .map(|(key, text)| (key, ByteString(text.into_bytes())));
            secret.data = Some(data.collect());
            secret
        })
        .collect()
});

const NAMESPACES: &[&str] = &["a", "b"];
const SERVICES: &[&str] = &["x", "y"];
const PORTS: &[i32] = &[80, 81, 0, -1, 70_000];
const TARGETS: &[&str] = &["http", "8080", "0"];
const PROTOCOLS: &[&str] = &["http", "https", "kubernetes.io/h2c"];
const HOSTS: &[&str] = &[
    "",
    "example.com",
    "a.example.com",
    "A.Example.com.",
    "*.example.com",
    "a.*.com",
    "*",
];
const PATHS: &[&str] = &[
    "/", "/a", "/a/", "/a/b", "a", "", "/a//b", "/a(.*)", "/..", "/ä",
];
const PATH_TYPES: &[&str] = &[
    "Exact",
    "Prefix",
    "Prefix",
    "ImplementationSpecific",
    "Other",
];
const HASHED: &[u8] = b"a:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=";
const ANNOTATIONS: &[&str] = &[
    "kubernetes.io/ingress.class",
    "ingress.sluice.dev/x",
    "nginx.ingress.kubernetes.io/canary",
    "nginx.ingress.kubernetes.io/auth-url",
    "nginx.ingress.kubernetes.io/proxy-body-size",
    "traefik.ingress.kubernetes.io/router.entrypoints",
    "example.com/x",
];
