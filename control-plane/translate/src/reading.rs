//! What one Ingress means on its own: what it wants, and what is wrong with it, whatever the others want.
//!
//! It does not decide who gets a host or a path (`claims.rs`, `hosts.rs`). It depends on the Ingress and on the objects
//! that it names, so it is done again only when one of them changes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::api::networking::v1::Ingress;
use sluice_proto::{
    BackendName, Certificate, CertificateName, HostPattern, ObjectReference, Policy, PolicyName,
    Route, SettingsName, TlsVersion,
};

use crate::backends::{Backends, UsedBackend};
use crate::certificates::certificates;
use crate::class::{Classes, Served, class_missing};
use crate::ingress::ServedIngress;
use crate::object;
use crate::objects::Objects;
use crate::policies::{self, Wanted};
use crate::problem::Problems;
use crate::routes::{Claim, Claims, claims};
use crate::settings::{ClassPolicies, OfClass};
use crate::tls::IngressTls;
use crate::translation::Options;

/// The order in which Ingresses count: the oldest first, then by namespace and name.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Seniority {
    created_unix_s: i64,
    namespace: Arc<str>,
    name: Arc<str>,
}

/// What one Ingress means.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Reading {
    pub(crate) reference: ObjectReference,
    created_unix_s: i64,
    /// By the host of its rules; any host, if it has none.
    pub(crate) rules: BTreeMap<HostPattern, HostRules>,
    pub(crate) tls: IngressTls,
    /// Of its class.
    pub(crate) settings: SettingsName,
    pub(crate) certificates: BTreeMap<CertificateName, Certificate>,
    pub(crate) backends: BTreeMap<BackendName, UsedBackend>,
    /// What its routes name.
    pub(crate) policies: BTreeMap<PolicyName, Arc<Policy>>,
    /// The lowest version of TLS that clients of its hosts may speak.
    pub(crate) tls_minimum_version: TlsVersion,
    pub(crate) problems: Problems,
}

/// What the rules of one Ingress want of one host.
#[derive(Debug, Default, Eq, PartialEq)]
pub(crate) struct HostRules {
    /// The fields that name the host.
    pub(crate) fields: Vec<String>,
    /// In the order of the rules.
    pub(crate) claims: Vec<Claim>,
}

impl Seniority {
    /// Returns that of the Ingress that a route belongs to.
    pub(crate) fn of(route: &Route) -> Self {
        Self::new(route.created_unix_s, &route.ingress)
    }

    fn new(created_unix_s: i64, ingress: &ObjectReference) -> Self {
        Self {
            created_unix_s,
            namespace: ingress.namespace.as_str().into(),
            name: ingress.name.as_str().into(),
        }
    }
}

impl Reading {
    /// Reads an Ingress; `None` if it is somebody else's.
    pub(crate) fn of(
        ingress: &Ingress,
        classes: &Classes<'_>,
        objects: &Objects,
        options: &Options,
        policies: &ClassPolicies,
    ) -> Option<Self> {
        match classes.served(ingress) {
            Served::Yes => {
                let settings = classes.settings(ingress);
                let of_class = policies.of(&settings);
                Some(Self::of_served(
                    ingress, settings, objects, options, of_class,
                ))
            }
            Served::No => None,
            Served::ClassMissing(class) => {
                let mut reading = Self::empty(object::reference(ingress, &ingress.metadata));
                let fault = class_missing(class, objects.classes());
                let problem = fault.at(&reading.reference, "spec.ingressClassName");
                reading.problems.add(problem);
                Some(reading)
            }
        }
    }

    pub(crate) fn seniority(&self) -> Seniority {
        Seniority::new(self.created_unix_s, &self.reference)
    }

    /// Returns the hosts that its rules or its `spec.tls` name.
    pub(crate) fn hosts(&self) -> BTreeSet<&HostPattern> {
        let named = self.tls.entries.iter().flat_map(|entry| entry.named());
        self.rules.keys().chain(named).collect()
    }

    fn of_served(
        ingress: &Ingress,
        settings: SettingsName,
        objects: &Objects,
        options: &Options,
        of_class: &OfClass,
    ) -> Self {
        let mut problems = Problems::default();
        let ingress = ServedIngress::parse(ingress, settings, &mut problems);
        let tls = IngressTls::of(&ingress, &mut problems);
        let allow_external_name = options.settings.ingress.allow_external_name;
        let wanted = Wanted {
            ingress: &ingress.reference,
            annotations: ingress.annotations,
            of_class,
            sets: &options.settings.proxy_sets,
        };
        let mut own = policies::attach(objects, wanted, &mut problems);
        let upstream_tls = own.upstream_tls.take();
        let mut backends = Backends::new(objects, allow_external_name, upstream_tls);
        let Claims {
            claims,
            policies,
            tls_minimum_version,
        } = claims(objects, &ingress, &tls, own, &mut backends, &mut problems);
        let certificates = certificates(objects, &ingress, &tls, &mut problems);
        let mut rules: BTreeMap<HostPattern, HostRules> = BTreeMap::new();
        for (host, field) in ingress.hosts() {
            rules.entry(host).or_default().fields.push(field);
        }
        for claim in claims {
            let host = claim.route.host.clone();
            rules.entry(host).or_default().claims.push(claim);
        }
        Self {
            created_unix_s: ingress.created_unix_s,
            reference: ingress.reference,
            rules,
            tls,
            settings: ingress.settings,
            certificates,
            backends: backends.into_used(),
            policies,
            tls_minimum_version,
            problems,
        }
    }

    const fn empty(reference: ObjectReference) -> Self {
        Self {
            reference,
            created_unix_s: 0,
            rules: BTreeMap::new(),
            tls: IngressTls {
                entries: Vec::new(),
            },
            settings: SettingsName::EDGE,
            certificates: BTreeMap::new(),
            backends: BTreeMap::new(),
            policies: BTreeMap::new(),
            tls_minimum_version: TlsVersion::Tls12,
            problems: Problems::new(),
        }
    }
}
