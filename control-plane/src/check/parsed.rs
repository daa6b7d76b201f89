//! The objects of several texts, where each of them is, and what is wrong with the texts themselves.
//!
//! It does not know what the objects mean.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};
use std::path::Path;

use serde::Serialize;
use sluice_proto::{ObjectReference, Problem};
use sluice_translate::{DocumentProblem, Object, Place, ProblemCode, parse_objects, places};

use crate::check::input::Text;
use crate::kinds::INGRESS;
use crate::source::files::duplicate;

/// What several texts hold.
#[derive(Debug, Default)]
pub(super) struct Parsed {
    /// Of each object the first.
    pub(super) objects: Vec<Object>,
    pub(super) problems: Vec<(Option<Location>, Problem)>,
    /// How many objects there are of each kind that Sluice does not read.
    pub(super) not_read: BTreeMap<String, usize>,
    places: BTreeMap<ObjectReference, (String, Option<Place>)>,
}

/// A line of a text.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub(super) struct Location {
    pub(super) file: String,
    /// Counted from 1.
    pub(super) line: usize,
}

impl Parsed {
    pub(super) fn of(texts: &[Text]) -> Self {
        let mut parsed = Self::default();
        for text in texts {
            parsed.take_in(text);
        }
        parsed
    }

    /// Returns where a field of an object is; `None` if the object is in no text.
    pub(super) fn location(&self, object: &ObjectReference, field: &str) -> Option<Location> {
        let (file, place) = self.places.get(object)?;
        Some(Location {
            file: file.clone(),
            line: place.as_ref().map_or(1, |place| place.line(field)),
        })
    }

    fn take_in(&mut self, text: &Text) {
        let parsed = parse_objects(&text.content);
        // Of an object that is there again, in the order of the text.
        let mut places_of: BTreeMap<ObjectReference, VecDeque<Place>> = BTreeMap::new();
        for place in places(&text.content) {
            let places = places_of.entry(place.object.clone()).or_default();
            places.push_back(place);
        }
        for object in parsed.objects {
            let reference = object.reference();
            let place = places_of.get_mut(&reference).and_then(VecDeque::pop_front);
            match self.places.entry(reference) {
                Entry::Vacant(entry) => {
                    entry.insert((text.name.clone(), place));
                    self.objects.push(object);
                }
                Entry::Occupied(entry) => {
                    let (first, _) = entry.get();
                    let problem = duplicate(entry.key(), Path::new(first), Path::new(&text.name));
                    let line = place.map_or(1, |place| place.line(&problem.field));
                    self.problems.push((Some(at(text, line)), problem));
                }
            }
        }
        for problem in parsed.problems {
            self.document(text, problem);
        }
    }

    fn document(&mut self, text: &Text, problem: DocumentProblem) {
        // A folder of manifests holds much that is none of Sluice's business. But an Ingress of a version that Sluice
        // does not read was meant to be served.
        if problem.code == ProblemCode::KindIgnored
            && let Some(object) = problem
                .object
                .as_ref()
                .filter(|object| object.kind != INGRESS)
        {
            *self.not_read.entry(object.kind.clone()).or_default() += 1;
            return;
        }
        let location = at(text, problem.line);
        // Where it is stands beside the message, not in it.
        let message = problem.message.clone();
        let problem = Problem {
            message,
            ..problem.in_file(&text.name)
        };
        self.problems.push((Some(location), problem));
    }
}

fn at(text: &Text, line: usize) -> Location {
    Location {
        file: text.name.clone(),
        line,
    }
}
