//! What Sluice would serve and what is wrong, as data: the very object that `--output json` prints.
//!
//! It does not decide what is served (`sluice_translate`, shown by `served.rs`), nor how it looks (`text.rs`). Its fields are documented in
//! docs/check.md; new ones may come, none goes.

use std::collections::BTreeSet;

use bytes::Bytes;
use serde::Serialize;
use serde::ser::{SerializeStruct, Serializer};
use sluice_proto::{CertificateMaterial, ObjectReference, Problem};
use sluice_translate::{EdgeSettings, Object, Objects, Options, translate};

use crate::check::known::Known;
use crate::check::notes::{self, Note};
use crate::check::parsed::{Location, Parsed};
use crate::check::served::Served;
use crate::check::written;
use crate::introspection::Resources;

/// What Sluice would serve, and what is wrong.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// The more specific first.
    pub(super) hosts: Vec<ServedHost>,
    /// By file and line.
    pub(super) problems: Vec<FoundProblem>,
    pub(super) notes: BTreeSet<Note>,
}

#[derive(Debug, Serialize)]
pub(super) struct ServedHost {
    pub(super) host: String,
    /// `None` for the default one.
    pub(super) certificate: Option<String>,
    /// In the order in which they are tried.
    pub(super) paths: Vec<ServedPath>,
}

#[derive(Debug, Serialize)]
pub(super) struct ServedPath {
    #[serde(rename = "type")]
    pub(super) path_type: String,
    /// Empty for the default.
    pub(super) path: String,
    pub(super) ingress: Named,
    pub(super) field: String,
    pub(super) location: Option<Location>,
    /// The code of the problem for which it answers 503.
    pub(super) unavailable: Option<String>,
    /// The policies of its requests, in the order in which they run.
    pub(super) policies: Vec<String>,
    /// The cookie by which clients come back to their endpoint.
    pub(super) sticky: Option<String>,
    pub(super) backends: Vec<ServedBackend>,
}

#[derive(Debug, Serialize)]
pub(super) struct ServedBackend {
    pub(super) name: String,
    pub(super) weight: u32,
    /// Who answers; `None` if the input does not tell.
    pub(super) answers: Option<String>,
    /// How its endpoints are spoken to by TLS; `None` for in clear, or if the input does not tell.
    pub(super) tls: Option<String>,
    /// Requests that it gets whatever the weights.
    pub(super) matches: Vec<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct FoundProblem {
    /// `None` if the object is not in the input.
    pub(super) location: Option<Location>,
    pub(super) object: Named,
    pub(super) field: String,
    pub(super) code: String,
    pub(super) message: String,
    pub(super) remedy: String,
}

/// An object.
#[derive(Debug)]
pub(super) struct Named(pub(super) ObjectReference);

impl Report {
    /// Returns what becomes of these objects under these settings, which have the controllers of `adopted` already.
    pub(super) fn of(parsed: &Parsed, settings: EdgeSettings, adopted: &[String]) -> Self {
        let known = Known::of(&parsed.objects);
        let options = Options {
            settings,
            default_certificate: NOT_SHOWN,
        };
        let objects = objects(parsed, &known, &options.settings);
        let translation = translate(&objects, &options);
        let mut notes = notes::notes(parsed, &known, &objects, adopted);
        let mut problems = parsed.problems.clone();
        // A Policy is checked whether or not the input has who names it.
        let of_policies = objects.problems_of_policies();
        let of_policies =
            of_policies.filter(|own| translation.problems.binary_search(own).is_err());
        for problem in translation.problems.iter().chain(of_policies) {
            match known.judge(problem) {
                Ok(()) => {
                    let location = parsed.location(&problem.object, &problem.field);
                    problems.push((location, problem.clone()));
                }
                Err(note) => drop(notes.insert(note)),
            }
        }
        problems.sort_unstable();
        let served = Served {
            parsed,
            known: &known,
            resources: Resources {
                translation: &translation,
            },
        };
        Self {
            hosts: served.hosts(),
            problems: problems.into_iter().map(found).collect(),
            notes,
        }
    }
}

/// Returns all objects that are translated: those of the input, and what is assumed beside them.
fn objects(parsed: &Parsed, known: &Known, settings: &EdgeSettings) -> Objects {
    let mut objects = Objects::default();
    let _ = objects.follow_settings(settings);
    for object in parsed.objects.iter().cloned() {
        let _ = objects.apply(object);
    }
    let in_force = objects.settings().unwrap_or(settings);
    let controller = in_force.ingress.controllers.first().cloned();
    if let Some(controller) = controller.filter(|_| !known.classes) {
        for class in written::assumed_classes(&parsed.objects, &controller) {
            let _ = objects.apply(Object::IngressClass(class));
        }
    }
    objects
}

fn found((location, problem): (Option<Location>, Problem)) -> FoundProblem {
    FoundProblem {
        location,
        object: Named(problem.object),
        field: problem.field,
        code: problem.code,
        message: problem.message,
        remedy: problem.remedy,
    }
}

impl Serialize for Named {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(object) = self;
        let mut fields = serializer.serialize_struct("Named", 3)?;
        fields.serialize_field("kind", &object.kind)?;
        fields.serialize_field("namespace", &object.namespace)?;
        fields.serialize_field("name", &object.name)?;
        fields.end()
    }
}

/// Translation wants a certificate for hosts that have none; the report has nothing of it.
const NOT_SHOWN: CertificateMaterial = CertificateMaterial {
    chain: Vec::new(),
    private_key: Bytes::new(),
    names: Vec::new(),
    not_before_unix_s: 0,
    not_after_unix_s: i64::MAX,
};
