//! The spec of an object of kind Settings: what of it can be used, and what is wrong with the rest.
//!
//! A field that is broken is taken out, as often as there is one, and each is a fault; the others hold. Where the default
//! would open something that its author may have closed, the strictest value stands in its place (`x-broken` in
//! `spec.rs`).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::Value;
use serde_path_to_error::{Path, Segment};

use crate::problem::{Fault, ProblemCode};
use crate::schema::{Node, Step, no_mapping};
use crate::settings::schema::SCHEMA;
use crate::settings::spec::SettingsSpec;

/// What an object says.
#[derive(Debug, Default)]
pub(super) struct Understood {
    pub(super) spec: SettingsSpec,
    /// What is wrong, with the field that it is in.
    pub(super) faults: Vec<(String, Fault)>,
}

/// Reads a spec. What holds only for the whole edge is passed over in that of a class.
pub(super) fn understand(spec: &Value, of_edge: bool) -> Understood {
    let mut reader = Reader {
        of_edge,
        value: spec.clone(),
        faults: Vec::new(),
        mended: BTreeSet::new(),
        removed: BTreeMap::new(),
    };
    if !of_edge {
        reader.pass_over_what_is_of_the_edge();
    }
    let spec = reader.read();
    Understood {
        spec,
        faults: reader.faults,
    }
}

struct Reader {
    of_edge: bool,
    value: Value,
    faults: Vec<(String, Fault)>,
    /// Where something was put in place of what was broken.
    mended: BTreeSet<Vec<Step>>,
    /// The indices that were taken out of each list, as its author counts.
    removed: BTreeMap<Vec<Step>, BTreeSet<usize>>,
}

impl Reader {
    fn read(&mut self) -> SettingsSpec {
        // Each turn takes something out.
        for _ in 0..MOST_FAULTS {
            let (steps, reason) = match no_mapping(SCHEMA.root(), &self.value) {
                // A list, too, could be taken for the fields of a mapping, in their order.
                Some(steps) => (steps, "it is no mapping".to_owned()),
                None => match serde_path_to_error::deserialize(&self.value) {
                    Ok(spec) => return spec,
                    Err(error) => (steps(error.path()), error.inner().to_string()),
                },
            };
            let field = self.field(&steps);
            let is_known = SCHEMA.find(&steps).is_some();
            let put = self.mend(steps);
            let fault = if is_known {
                invalid(&reason, put.as_ref(), &field)
            } else {
                unknown()
            };
            self.faults.push((field, fault));
        }
        let strictest = self.mend(Vec::new());
        let reason = "more fields cannot be used than are told";
        let fault = invalid(reason, strictest.as_ref(), WHOLE);
        self.faults.push((WHOLE.to_owned(), fault));
        serde_json::from_value(self.value.take()).unwrap_or_default()
    }

    fn pass_over_what_is_of_the_edge(&mut self) {
        let mut found = Vec::new();
        take_edge_only(SCHEMA.root(), &mut self.value, WHOLE, &mut found);
        self.faults
            .extend(found.into_iter().map(|field| (field, no_effect())));
    }

    /// Takes what is broken out, and returns what stands in its place, if something does.
    fn mend(&mut self, mut steps: Vec<Step>) -> Option<Value> {
        while let Some((last, above)) = steps.split_last() {
            let takes_more = SCHEMA.find(above).is_some_and(|above| match last {
                Step::Field(name) => above.needs(name) || above.is_tainted_by(name),
                Step::Index(_) => {
                    let is_last = self.length(above_steps(&steps)) == 1;
                    above.is_tainted_by_items() || above.needs_items() && is_last
                }
            });
            if !takes_more {
                break;
            }
            steps.pop();
        }
        let broken = SCHEMA.find(&steps);
        let strictest = broken.and_then(|broken| broken.strictest(self.of_edge));
        // What is broken itself, against all expectation, is not put there again.
        let put = strictest.filter(|_| self.mended.insert(steps.clone()));
        match steps.split_last() {
            None => {
                self.value = put
                    .clone()
                    .unwrap_or_else(|| Value::Object(serde_json::Map::new()))
            }
            Some((last, above)) => {
                if let Step::Index(index) = last {
                    let original = self.original(above, *index);
                    self.removed
                        .entry(above.to_vec())
                        .or_default()
                        .insert(original);
                }
                replace(part(&mut self.value, above), last, put.clone());
            }
        }
        put
    }

    fn length(&mut self, steps: &[Step]) -> usize {
        let list = part(&mut self.value, steps).and_then(|list| list.as_array());
        list.map_or(0, Vec::len)
    }

    /// Returns the field as its author would call it.
    fn field(&self, steps: &[Step]) -> String {
        let mut field = WHOLE.to_owned();
        for (depth, step) in steps.iter().enumerate() {
            // Writing to a text cannot fail.
            let _ = match step {
                Step::Field(name) => write!(field, ".{name}"),
                Step::Index(index) => {
                    let above = steps.get(..depth).unwrap_or_default();
                    write!(field, "[{}]", self.original(above, *index))
                }
            };
        }
        field
    }

    /// Returns the index in a list as its author counts.
    fn original(&self, list: &[Step], index: usize) -> usize {
        let removed = self.removed.get(list).into_iter().flatten();
        removed.fold(index, |index, removed| {
            index + usize::from(*removed <= index)
        })
    }
}

fn above_steps(steps: &[Step]) -> &[Step] {
    steps.split_last().map_or(&[], |(_, above)| above)
}

fn steps(path: &Path) -> Vec<Step> {
    let step = |segment: &Segment| match segment {
        Segment::Map { key } => Some(Step::Field(key.clone())),
        Segment::Seq { index } => Some(Step::Index(*index)),
        Segment::Enum { .. } | Segment::Unknown => None,
    };
    path.iter().map_while(step).collect()
}

fn part<'a>(value: &'a mut Value, steps: &[Step]) -> Option<&'a mut Value> {
    steps.iter().try_fold(value, |value, step| match step {
        Step::Field(name) => value.get_mut(name),
        Step::Index(index) => value.get_mut(index),
    })
}

fn replace(above: Option<&mut Value>, last: &Step, put: Option<Value>) {
    match (above, last) {
        (Some(Value::Object(fields)), Step::Field(name)) => match put {
            Some(put) => drop(fields.insert(name.clone(), put)),
            None => drop(fields.remove(name)),
        },
        (Some(Value::Array(items)), Step::Index(index)) if *index < items.len() => {
            items.remove(*index);
        }
        _ => {}
    }
}

fn take_edge_only(node: Node<'_>, value: &mut Value, field: &str, found: &mut Vec<String>) {
    let Value::Object(fields) = value else {
        return;
    };
    for (name, below) in node.fields() {
        let field = format!("{field}.{name}");
        if below.is_edge_only() {
            if fields.remove(name).is_some() {
                found.push(field);
            }
        } else if let Some(value) = fields.get_mut(name) {
            take_edge_only(below, value, &field, found);
        }
    }
}

fn invalid(reason: &str, put: Option<&Value>, field: &str) -> Fault {
    let cost = match put {
        Some(put) => format!("the strictest that could stand there holds instead: {put}"),
        None => "it is passed over".to_owned(),
    };
    let rest = if field == WHOLE {
        ""
    } else {
        ". The rest of the object holds"
    };
    Fault::new(
        ProblemCode::SettingsFieldInvalid,
        format!("{reason}; {cost}{rest}"),
        "Correct it; kubectl explain settings.spec says what may stand there",
    )
}

fn unknown() -> Fault {
    Fault::new(
        ProblemCode::FieldUnknown,
        "there is no such field; it has no effect. The rest of the object holds",
        "Correct its name or remove it",
    )
}

fn no_effect() -> Fault {
    Fault::new(
        ProblemCode::SettingsFieldIgnored,
        "it holds for the whole edge or not at all, and has no effect here",
        "Move it to the Settings named edge, or to the settings file of the control plane",
    )
}

const WHOLE: &str = "spec";
/// Each becomes an Event.
const MOST_FAULTS: usize = 100;
