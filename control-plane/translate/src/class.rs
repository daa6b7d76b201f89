//! Which Ingresses are served: those of an IngressClass whose controller the settings name.
//!
//! It does not look at anything else of an Ingress, and not into the settings that a class names
//! (`settings/in_force.rs`).

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::networking::v1::{Ingress, IngressClass, IngressClassSpec};
use sluice_proto::{ObjectReference, SettingsName};

use crate::custom::{Custom, CustomKind, SettingsKind};
use crate::problem::{Fault, ProblemCode, Problems};
use crate::settings::{CONTROLLER, EDGE};

/// The IngressClasses, seen by which controllers are served.
pub(crate) struct Classes<'a> {
    classes: &'a BTreeMap<String, IngressClass>,
    controllers: &'a BTreeSet<String>,
    default: Option<&'a IngressClass>,
}

/// Whose business an Ingress is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Served<'a> {
    /// Ours.
    Yes,
    /// Somebody else's.
    No,
    /// Nobody's: it names a class that does not exist.
    ClassMissing(&'a str),
}

/// What the parameters of a class name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Parameters<'a> {
    /// The Settings of this name.
    Settings(&'a str),
    /// Something else, which another controller may read.
    Others,
    /// Something else, although the class is Sluice's own.
    Wrong,
}

impl<'a> Classes<'a> {
    pub(crate) fn new(
        classes: &'a BTreeMap<String, IngressClass>,
        controllers: &'a BTreeSet<String>,
    ) -> Self {
        Self {
            classes,
            controllers,
            default: defaults(classes).into_iter().next(),
        }
    }

    /// Returns whether this Ingress is served.
    pub(crate) fn served<'b>(&self, ingress: &'b Ingress) -> Served<'b> {
        match self.class(ingress) {
            Ok(class) => self.of(class),
            Err(name) => Served::ClassMissing(name),
        }
    }

    /// Returns the controller of the class of this Ingress, if there is one.
    pub(crate) fn controller_of(&self, ingress: &Ingress) -> Option<&'a str> {
        controller(self.class(ingress).ok()?)
    }

    /// Returns the settings that hold for the routes of this Ingress.
    pub(crate) fn settings(&self, ingress: &Ingress) -> SettingsName {
        let class = self.class(ingress).ok().flatten();
        let parameters = class.and_then(parameters);
        match (class, parameters) {
            (None, _) | (_, None | Some(Parameters::Settings(EDGE))) => SettingsName::EDGE,
            (Some(class), Some(_)) => SettingsName::of_class(name(class)),
        }
    }

    /// Returns the served classes that name settings of their own, with what they name.
    pub(crate) fn with_parameters(&self) -> impl Iterator<Item = (&'a str, Parameters<'a>)> {
        let served = self.classes.values();
        let served = served.filter(|class| self.of(Some(class)) == Served::Yes);
        served.filter_map(|class| Some((name(class), parameters(class)?)))
    }

    /// Returns the class of an Ingress, if it has one; or the name of one that does not exist.
    fn class<'b>(&self, ingress: &'b Ingress) -> Result<Option<&'a IngressClass>, &'b str> {
        match named(ingress) {
            Some(Named::Field(name)) => self.classes.get(name).map(Some).ok_or(name),
            // A controller may understand the annotation without any IngressClass, so an unknown name is its business.
            Some(Named::Annotation(name)) => Ok(self.classes.get(name)),
            // "If the ingressClassName field is omitted, a default Ingress class should be defined."
            None => Ok(self.default),
        }
    }

    /// Says what is wrong with the served classes.
    pub(crate) fn report(
        &self,
        settings: &BTreeMap<String, Custom<SettingsKind>>,
        problems: &mut Problems,
    ) {
        let defaults = defaults(self.classes);
        let ours = defaults
            .iter()
            .any(|class| self.of(Some(class)) == Served::Yes);
        if let Some(winner) = self.default.filter(|_| ours) {
            for class in defaults.iter().skip(1) {
                let fault = Fault::new(
                    ProblemCode::DefaultClassAmbiguous,
                    format!(
                        "the IngressClass {} is marked as the default, too, and comes first: Ingresses without a class are its",
                        name(winner)
                    ),
                    format!(
                        "Remove the annotation {DEFAULT_ANNOTATION} from all but one IngressClass"
                    ),
                );
                let field = format!("metadata.annotations[{DEFAULT_ANNOTATION}]");
                problems.add(fault.at(&reference(class), field));
            }
        }
        for (class, parameters) in self.with_parameters() {
            let fault = match parameters {
                // Nothing needs to be there for the defaults of the edge.
                Parameters::Settings(EDGE) => continue,
                Parameters::Settings(name) if settings.contains_key(name) => continue,
                Parameters::Settings(name) => settings_missing(name),
                Parameters::Others => parameters_unsupported(UNTRUSTING),
                Parameters::Wrong => parameters_unsupported(UNAVAILABLE),
            };
            if let Some(class) = self.classes.get(class) {
                problems.add(fault.at(&reference(class), "spec.parameters"));
            }
        }
    }

    fn of<'b>(&self, class: Option<&IngressClass>) -> Served<'b> {
        match controller(class) {
            Some(controller) if self.controllers.contains(controller) => Served::Yes,
            _ => Served::No,
        }
    }
}

fn controller(class: Option<&IngressClass>) -> Option<&str> {
    class?.spec.as_ref()?.controller.as_deref()
}

/// Returns a class of this controller that the Ingress is of, for whoever has the Ingress without its class.
#[must_use]
pub fn assumed_class(ingress: &Ingress, controller: &str) -> IngressClass {
    let mut class = IngressClass {
        spec: Some(IngressClassSpec {
            controller: Some(controller.to_owned()),
            parameters: None,
        }),
        ..IngressClass::default()
    };
    match named(ingress) {
        Some(Named::Field(name) | Named::Annotation(name)) => {
            class.metadata.name = Some(name.to_owned());
        }
        // It stays without a name, so that it is none of those that Ingresses name.
        None => {
            let is_default = (DEFAULT_ANNOTATION.to_owned(), "true".to_owned());
            class.metadata.annotations = Some(BTreeMap::from([is_default]));
        }
    }
    class
}

/// How an Ingress names its class.
enum Named<'a> {
    Field(&'a str),
    Annotation(&'a str),
}

fn named(ingress: &Ingress) -> Option<Named<'_>> {
    let field = (ingress.spec.as_ref()).and_then(|spec| spec.ingress_class_name.as_deref());
    let annotations = ingress.metadata.annotations.as_ref();
    let annotation = annotations.and_then(|annotations| annotations.get(LEGACY_ANNOTATION));
    field
        .map(Named::Field)
        .or_else(|| annotation.map(|name| Named::Annotation(name)))
}

/// Says that an Ingress names a class that does not exist.
pub(crate) fn class_missing(class: &str, classes: &BTreeMap<String, IngressClass>) -> Fault {
    let names: Vec<_> = classes.keys().map(String::as_str).collect();
    let there_are = match names.as_slice() {
        [] => "there are none".to_owned(),
        names => format!("there are: {}", names.join(", ")),
    };
    Fault::new(
        ProblemCode::ClassMissing,
        format!("there is no IngressClass {class}, so Sluice does not serve it"),
        format!("Create the IngressClass, or name one that exists ({there_are})"),
    )
}

fn settings_missing(name: &str) -> Fault {
    Fault::new(
        ProblemCode::SettingsMissing,
        format!("there are no Settings named {name}; {UNAVAILABLE}"),
        "Create them, or correct the name; kubectl get settings lists what there is",
    )
}

fn parameters_unsupported(cost: &str) -> Fault {
    Fault::new(
        ProblemCode::ClassParametersUnsupported,
        format!(
            "the parameters of a class that Sluice reads are {} of the group {}, which are in no namespace; \
             {cost}",
            SettingsKind::KIND,
            SettingsKind::GROUP
        ),
        "Name such an object, or remove the parameters",
    )
}

/// Returns what a class names as its parameters.
fn parameters(class: &IngressClass) -> Option<Parameters<'_>> {
    let named = class.spec.as_ref()?.parameters.as_ref()?;
    let is_ours = named.api_group.as_deref() == Some(SettingsKind::GROUP)
        && named.kind == SettingsKind::KIND
        && named
            .scope
            .as_deref()
            .is_none_or(|scope| scope == "Cluster");
    Some(if is_ours {
        Parameters::Settings(&named.name)
    } else if controller(Some(class)) == Some(CONTROLLER) {
        Parameters::Wrong
    } else {
        Parameters::Others
    })
}

/// Returns whether the annotation of this key says something about classes.
pub(crate) fn is_read(key: &str) -> bool {
    key == LEGACY_ANNOTATION || key == DEFAULT_ANNOTATION
}

/// Returns the default classes in the order in which Kubernetes' admission picks one: the newest first, then by name.
fn defaults(classes: &BTreeMap<String, IngressClass>) -> Vec<&IngressClass> {
    let is_default = |class: &&IngressClass| {
        let annotations = class.metadata.annotations.as_ref();
        annotations
            .and_then(|annotations| annotations.get(DEFAULT_ANNOTATION))
            .is_some_and(|value| value == "true")
    };
    let mut defaults: Vec<_> = classes.values().filter(is_default).collect();
    // The sort is stable, and the map is in the order of the names.
    defaults.sort_by_key(|class| {
        let created = class.metadata.creation_timestamp.as_ref();
        std::cmp::Reverse(created.map_or(0, |time| time.0.as_second()))
    });
    defaults
}

fn name(class: &IngressClass) -> &str {
    class.metadata.name.as_deref().unwrap_or_default()
}

fn reference(class: &IngressClass) -> ObjectReference {
    ObjectReference {
        kind: "IngressClass".to_owned(),
        namespace: String::new(),
        name: name(class).to_owned(),
    }
}

const UNTRUSTING: &str = "for its routes the settings of the whole edge hold, but nobody is trusted to say who the client is";
const UNAVAILABLE: &str = "its routes answer 503, for they might name Policies";
const LEGACY_ANNOTATION: &str = "kubernetes.io/ingress.class";
const DEFAULT_ANNOTATION: &str = "ingressclass.kubernetes.io/is-default-class";
