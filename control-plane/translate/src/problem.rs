//! What can be wrong with an object: every code that a problem may have, in one place.
//!
//! It does not find anything wrong: whoever reads an object does, and says so with [`Problems::add`].

use std::collections::BTreeSet;
use std::fmt;

use sluice_proto::{ObjectReference, Problem};

/// What can be wrong with an object. The variant's name is the problem's code: an Event's reason and a metric's label.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum ProblemCode {
    /// A named set of ranges that an address filter names does not exist; the routes that need the filter answer 503.
    AddressSetUnknown,
    /// An annotation of another controller is passed over; nothing is less safe without it.
    AnnotationIgnored,
    /// An annotation does not say what it should; where it would protect, the Ingress answers 503.
    AnnotationMalformed,
    /// An annotation under Sluice's own prefix is not known to this version; the Ingress answers 503.
    AnnotationUnknown,
    /// An annotation of another controller protects or confines, and is not supported; the Ingress answers 503.
    AnnotationUnsupported,
    /// A Secret does not hold certificates of authorities that can be read.
    AuthoritiesMalformed,
    /// A path's backend names neither a Service with one port nor anything else; it answers 503.
    BackendInvalid,
    /// The Service that a canary names cannot answer; no request goes there.
    CanaryUnusable,
    /// The certificate is not for a host that the Ingress uses it for; it is served all the same.
    CertificateHostMismatch,
    /// A Secret does not hold a certificate and a key that can be read.
    CertificateMalformed,
    /// A host belongs to another namespace, so TLS clients do not get this Ingress' certificate.
    CertificateNotUsed,
    /// The Secret that an Ingress names is malformed.
    CertificateUnusable,
    /// The parameters of an IngressClass are no Settings; its routes answer 503, or, if it is another controller's, trust nobody.
    ClassParametersUnsupported,
    /// The IngressClass that an Ingress names does not exist; Sluice does not serve the Ingress.
    ClassMissing,
    /// A Secret does not hold user names and passwords that can be read.
    CredentialsMalformed,
    /// Several IngressClasses are marked as the default; the newest counts.
    DefaultClassAmbiguous,
    /// A document is no YAML, or not the object that it says it is; it is passed over.
    DocumentMalformed,
    /// An address of an EndpointSlice cannot be used; it is passed over.
    EndpointAddressInvalid,
    /// An EndpointSlice holds names instead of addresses; it is passed over.
    EndpointSliceUnsupported,
    /// A Service of type ExternalName is used although the settings do not allow it; the path answers 503.
    ExternalNameForbidden,
    /// A Service of type ExternalName names something that no Ingress may reach; the path answers 503.
    ExternalNameUnsafe,
    /// A field of a document is not known; it is passed over.
    FieldUnknown,
    /// A host belongs to another namespace, and the settings forbid to share it; nothing of it is served.
    HostForbidden,
    /// A host is none that a request could ask for; nothing is served under it.
    HostInvalid,
    /// Several namespaces share a host. Costs nothing.
    HostShared,
    /// An Ingress has neither a rule nor a default backend.
    IngressEmpty,
    /// A document's kind is none that Sluice reads; it is passed over.
    KindIgnored,
    /// A name may stand for several Middlewares; the routes answer 503.
    MiddlewareAmbiguous,
    /// A Middleware is not done in every detail as Traefik does it; nothing is less safe.
    MiddlewareDiffers,
    /// A Middleware does not say what it is to do; where it would protect, the routes that need it answer 503.
    MiddlewareMalformed,
    /// A Middleware does not exist; the routes that need it answer 503.
    MiddlewareMissing,
    /// A Middleware is of a kind that is not supported, or not one of Kubernetes; the routes that need it answer 503.
    MiddlewareUnsupported,
    /// The Middleware that an Ingress or a Service names cannot be used; where it would protect, the routes answer 503.
    MiddlewareUnusable,
    /// A document's object has no name, or one that Kubernetes would not take; it is passed over.
    NameInvalid,
    /// A Service that a route names has no endpoint that serves; the route answers 503 meanwhile.
    NoEndpoints,
    /// A path is none that a rule may have; the nearest one answers 503.
    PathInvalid,
    /// A path is a pattern, which is not supported; what it could match answers 503.
    PathPatternUnsupported,
    /// An older Ingress (or an earlier rule) has the same host and path; it wins.
    PathTaken,
    /// A path's type is none that Kubernetes knows; it answers 503.
    PathTypeUnknown,
    /// A field of a Policy cannot be used; where it would protect, the routes that need it answer 503.
    PolicyMalformed,
    /// The Policy that an Ingress or the settings of its class name does not exist; its routes answer 503.
    PolicyMissing,
    /// A Policy of another namespace is not shared with that of the Ingress that names it; its routes answer 503.
    PolicyNotShared,
    /// A part of the Policy that an Ingress names cannot be used; where it would protect, its routes answer 503.
    PolicyUnusable,
    /// The priority of routes on a host of another namespace has no effect.
    PriorityIgnored,
    /// A backend is a resource other than a Service; the path answers 503.
    ResourceBackendUnsupported,
    /// A rule has no path, and its Ingress no default backend; the host answers 503.
    RuleEmpty,
    /// A Secret does not exist.
    SecretMissing,
    /// The Secret that a Middleware names does not hold what it needs; the routes answer 503.
    SecretUnusable,
    /// RBAC forbids the control plane to read the Secrets of a namespace.
    SecretsForbidden,
    /// A Service's own addresses cannot be used; nothing stands in for its endpoints when they are stale.
    ServiceAddressInvalid,
    /// A Service does not exist; the path answers 503.
    ServiceMissing,
    /// A Service has no such port; the path answers 503.
    ServicePortMissing,
    /// A host of `spec.tls` is none that a client could ask for; it is passed over.
    TlsHostInvalid,
    /// A field of Settings cannot be used; it has its default, or its strictest value.
    SettingsFieldInvalid,
    /// A field of the Settings of a class can only hold for the whole edge; it has no effect.
    SettingsFieldIgnored,
    /// The Settings that an IngressClass names do not exist; its routes answer 503.
    SettingsMissing,
    /// A name may stand for several objects of Traefik of a kind; the routes answer 503.
    TraefikObjectAmbiguous,
    /// An object of Traefik (other than a Middleware) is not done in every detail as Traefik does it.
    TraefikObjectDiffers,
    /// An object of Traefik does not say what it is to do; the routes that need it answer 503.
    TraefikObjectMalformed,
    /// An object of Traefik does not exist; the routes that need it answer 503.
    TraefikObjectMissing,
    /// An object of Traefik asks for what Sluice does not do, or is not one of Kubernetes; the routes that need it answer 503.
    TraefikObjectUnsupported,
    /// The object of Traefik that an Ingress or a Service names cannot be used; the routes answer 503.
    TraefikObjectUnusable,
    /// A Service port speaks TLS, and nothing says which certificate its endpoints must show; the path answers 503.
    UpstreamTlsMissing,
    /// A named set of trusted ranges does not exist; nobody is trusted by that name.
    TrustedSetUnknown,
    /// Several entries of `spec.tls` are for the same host; the first one counts.
    TlsHostRepeated,
}

impl fmt::Display for ProblemCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// What is wrong and how to mend it, before it is known which object says so.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Fault {
    pub(crate) code: ProblemCode,
    pub(crate) message: String,
    pub(crate) remedy: String,
}

impl Fault {
    pub(crate) fn new(
        code: ProblemCode,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            code,
            message: message.into(),
            remedy: remedy.into(),
        }
    }

    /// Returns the problem that this is in this field of this object.
    pub(crate) fn at(self, object: &ObjectReference, field: impl Into<String>) -> Problem {
        Problem {
            object: object.clone(),
            field: field.into(),
            code: self.code.to_string(),
            message: self.message,
            remedy: self.remedy,
        }
    }
}

/// The problems found so far: sorted, each once.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Problems(BTreeSet<Problem>);

impl Problems {
    pub(crate) const fn new() -> Self {
        Self(BTreeSet::new())
    }

    pub(crate) fn add(&mut self, problem: Problem) {
        self.0.insert(problem);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }
}
