//! What whoever reads a report should know beside problems: above all what was not checked, and why an Ingress is missing.
//!
//! What the input cannot tell is found by `known.rs`.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use sluice_translate::{Object, Objects};

use crate::check::known::Known;
use crate::check::parsed::Parsed;
use crate::check::written::ingresses;

/// Something that whoever reads the report should know, and that is no problem.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub(super) struct Note {
    pub(super) code: NoteCode,
    pub(super) message: String,
}

/// What a note is about, in the order in which notes are shown.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub(super) enum NoteCode {
    /// There is no Ingress.
    NoIngress,
    /// Ingresses are of classes of other controllers.
    IngressesOfOthers,
    /// No IngressClass is of a controller that is to be adopted.
    AdoptedNothing,
    /// There is no IngressClass: all Ingresses are taken as Sluice's.
    ClassesAssumed,
    /// There is no Service.
    ServicesNotChecked,
    /// There is no EndpointSlice.
    EndpointsNotChecked,
    /// There is no Secret with a certificate.
    SecretsNotChecked,
    /// There are no Settings.
    SettingsNotChecked,
    /// There are no Policies.
    PoliciesNotChecked,
    /// There are no Middlewares.
    MiddlewaresNotChecked,
    /// There are no ServersTransports, or no TLSOptions.
    TraefikObjectsNotChecked,
    /// There are objects of kinds that Sluice does not read.
    KindsNotRead,
}

impl Note {
    pub(super) fn new(code: NoteCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }
}

/// Returns what is to be said of an input, whatever its problems are.
pub(super) fn notes(
    parsed: &Parsed,
    known: &Known,
    objects: &Objects,
    adopted: &[String],
) -> BTreeSet<Note> {
    let mut notes = BTreeSet::new();
    if ingresses(&parsed.objects).next().is_none() {
        let message = "there is no Ingress in the input";
        notes.insert(Note::new(NoteCode::NoIngress, message));
    } else if !known.classes {
        let message = "there is no IngressClass in the input: every Ingress is taken as Sluice's";
        notes.insert(Note::new(NoteCode::ClassesAssumed, message));
    }
    notes.extend(of_others(objects));
    if known.classes {
        notes.extend(
            adopted
                .iter()
                .filter_map(|controller| adopts(parsed, controller)),
        );
    }
    if !parsed.not_read.is_empty() {
        let kinds = parsed.not_read.iter();
        let kinds: Vec<_> = kinds
            .map(|(kind, count)| format!("{kind} ({count})"))
            .collect();
        let message = format!(
            "not read, as Sluice knows no such kinds: {}",
            kinds.join(", ")
        );
        notes.insert(Note::new(NoteCode::KindsNotRead, message));
    }
    notes
}

/// Returns a note for each controller that the Ingresses are of that are not served.
fn of_others(objects: &Objects) -> Vec<Note> {
    let mut others: BTreeMap<Option<&str>, Vec<String>> = BTreeMap::new();
    for (namespace, name, controller) in objects.ingresses_of_others() {
        let names = others.entry(controller).or_default();
        names.push(format!("{namespace}/{name}"));
    }
    let note = |(controller, names): (Option<&str>, Vec<String>)| {
        let names = names.join(", ");
        let message = match controller {
            Some(controller) => format!(
                "not served, as their class is of the controller {controller}: {names}; --adopt {controller} serves them"
            ),
            None => format!(
                "not served, as they are of no class: {names}; no IngressClass of the input is the default, or the one \
                 that their annotation names"
            ),
        };
        Note::new(NoteCode::IngressesOfOthers, message)
    };
    others.into_iter().map(note).collect()
}

/// Says that there is nothing to adopt from a controller: its name may be misspelt.
fn adopts(parsed: &Parsed, controller: &str) -> Option<Note> {
    let mut classes = parsed.objects.iter().filter_map(|object| match object {
        Object::IngressClass(class) => class.spec.as_ref()?.controller.as_deref(),
        _ => None,
    });
    if classes.any(|of| of == controller) {
        return None;
    }
    let message =
        format!("--adopt {controller}: no IngressClass of the input is of that controller");
    Some(Note::new(NoteCode::AdoptedNothing, message))
}
