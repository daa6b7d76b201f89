//! The settings that are in force: of the whole edge, and of each class that names some.
//!
//! Those of the edge are the defaults, over them the file, over that the object named `edge`, field by field. Those of a
//! class are those of the edge, over them the object that its IngressClass names as its parameters. Where that is not there,
//! the routes of the class answer 503: it may name Policies that protect them. Parameters of another kind, which another
//! controller may read, cannot: then the settings of the edge hold, but nobody is trusted. Whoever wrote parameters wanted
//! something else than the edge has, and to believe too few costs addresses in logs, to believe too many costs every
//! allow-list.

use std::collections::BTreeMap;

use k8s_openapi::api::networking::v1::IngressClass;
use sluice_proto::{CertificateName, ObjectReference, Settings, SettingsName};

use crate::class::{Classes, Parameters};
use crate::custom::{Custom, CustomKind, SettingsKind};
use crate::problem::{Fault, ProblemCode, Problems};
use crate::settings::object::{Understood, understand};
use crate::settings::{EdgeSettings, PolicyReference, SecretReference};

/// The settings that are in force.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct InForce {
    pub(crate) edge: EdgeSettings,
    /// By the name of the class.
    pub(crate) of_classes: BTreeMap<String, ClassSettings>,
}

/// The settings of a class.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct ClassSettings {
    pub(crate) settings: Settings,
    /// The Secret with the certificate of hosts that have none, if it is another than the edge's.
    pub(crate) default_certificate: Option<SecretReference>,
    /// Of each of its routes, before its Ingress' own.
    pub(crate) policies: OfClass,
}

/// The Policies of every route of a class.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum OfClass {
    /// In the order in which they run.
    These(Vec<PolicyReference>),
    /// Nobody knows: the settings that would say so are not there.
    Unknown,
}

/// The policies of every route of a class, by its settings.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct ClassPolicies {
    edge: OfClass,
    of_classes: BTreeMap<SettingsName, OfClass>,
}

impl OfClass {
    /// Returns those that are known.
    pub(crate) fn known(&self) -> &[PolicyReference] {
        match self {
            Self::These(policies) => policies,
            Self::Unknown => &[],
        }
    }
}

impl Default for OfClass {
    /// Returns none.
    fn default() -> Self {
        Self::These(Vec::new())
    }
}

impl ClassPolicies {
    /// Returns those that these settings name.
    pub(crate) fn of(&self, settings: &SettingsName) -> &OfClass {
        self.of_classes.get(settings).unwrap_or(&self.edge)
    }
}

impl InForce {
    /// Returns the policies of every route of each class.
    pub(crate) fn policies(&self) -> ClassPolicies {
        let of_classes = self.of_classes.values();
        let of_class =
            |class: &ClassSettings| (class.settings.name.clone(), class.policies.clone());
        ClassPolicies {
            edge: OfClass::These(self.edge.policies.clone()),
            of_classes: of_classes.map(of_class).collect(),
        }
    }

    /// Returns what a settings file and objects say together.
    pub(crate) fn of(
        file: &EdgeSettings,
        objects: &BTreeMap<String, Custom<SettingsKind>>,
        classes: &BTreeMap<String, IngressClass>,
        problems: &mut Problems,
    ) -> Self {
        let mut edge = file.clone();
        let mut others = BTreeMap::new();
        for (name, object) in objects {
            let Understood { spec, faults } = understand(&object.spec, name == EDGE);
            for (field, fault) in faults {
                problems.add(fault.at(&reference(name), field));
            }
            if name == EDGE {
                spec.apply(&mut edge);
            } else {
                others.insert(name.as_str(), spec);
            }
        }
        if objects.contains_key(EDGE) {
            edge.report_unknown_sets(EDGE, problems);
        }
        let others: BTreeMap<_, _> = others
            .into_iter()
            .map(|(name, spec)| {
                let names_a_certificate = spec.default_certificate.is_some();
                let names_sets = spec
                    .trusted_proxies
                    .as_ref()
                    .is_some_and(|trusted| trusted.sets.is_some());
                let mut settings = edge.clone();
                spec.apply(&mut settings);
                if names_sets {
                    settings.report_unknown_sets(name, problems);
                }
                if !names_a_certificate {
                    settings.default_certificate = None;
                }
                (name, settings)
            })
            .collect();
        let of_classes = Classes::new(classes, &edge.ingress.controllers)
            .with_parameters()
            .filter_map(|(class, parameters)| {
                let named = match parameters {
                    Parameters::Settings(EDGE) => return None,
                    Parameters::Settings(name) => others.get(name),
                    Parameters::Others | Parameters::Wrong => None,
                };
                let mut settings = ClassSettings::of(class, named, &edge);
                if named.is_none() && parameters != Parameters::Others {
                    settings.policies = OfClass::Unknown;
                }
                Some((class.to_owned(), settings))
            })
            .collect();
        Self { edge, of_classes }
    }

    /// Returns the Secrets with certificates of hosts that have none.
    pub(crate) fn default_certificates(&self) -> impl Iterator<Item = &SecretReference> {
        let of_classes = self.of_classes.values();
        let of_classes = of_classes.filter_map(|class| class.default_certificate.as_ref());
        self.edge.default_certificate.iter().chain(of_classes)
    }
}

impl ClassSettings {
    fn of(class: &str, named: Option<&EdgeSettings>, edge: &EdgeSettings) -> Self {
        let mut settings = named.unwrap_or(edge).published();
        if named.is_none() {
            settings.trusted_ranges.clear();
            settings.trusted_sets.clear();
        }
        settings.name = SettingsName::of_class(class);
        // Whoever reads metrics reads those of the edge.
        settings.metrics_ranges.clear();
        let default_certificate = named.and_then(|named| named.default_certificate.clone());
        if default_certificate.is_some() {
            settings.default_certificate = CertificateName::default_of_class(class);
        }
        Self {
            settings,
            default_certificate,
            policies: OfClass::These(named.unwrap_or(edge).policies.clone()),
        }
    }
}

impl EdgeSettings {
    fn report_unknown_sets(&self, object: &str, problems: &mut Problems) {
        for (index, name) in self.trusted_sets.iter().enumerate() {
            if self.proxy_sets.contains_key(name) {
                continue;
            }
            let fault = Fault::new(
                ProblemCode::TrustedSetUnknown,
                format!(
                    "{}; nobody is trusted by that name",
                    self.unknown_set(index)
                ),
                "Define it under proxySets of the Settings named edge, or correct its name",
            );
            let field = format!("spec.trustedProxies.sets[{index}]");
            problems.add(fault.at(&reference(object), field));
        }
    }
}

fn reference(name: &str) -> ObjectReference {
    ObjectReference {
        kind: SettingsKind::KIND.to_owned(),
        namespace: String::new(),
        name: name.to_owned(),
    }
}

/// The object that holds for the whole edge.
pub(crate) const EDGE: &str = "edge";
