//! The objects of a folder of files: what each file holds, which file counts, and what changes from look to look.
//!
//! It does not read files (`scan.rs`) or YAML (`sluice_translate::parse_objects`). An editor's save is not an outage:
//! what a damaged file held before stays until the file can be used again.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sluice_proto::{ObjectReference, Problem, Version};
use sluice_translate::{DocumentProblem, Object, ProblemCode, parse_objects};

use crate::source::Batch;
use crate::source::files::scan::{Found, Unreadable};

/// The objects of a folder.
#[derive(Debug, Default)]
pub(crate) struct Folder {
    files: BTreeMap<PathBuf, FileState>,
    /// What was sent: of each object the one that counts.
    served: BTreeMap<ObjectReference, Arc<Object>>,
    /// What was said to be wrong.
    problems: Vec<Problem>,
}

#[derive(Debug, Default)]
struct FileState {
    /// Of the content that was parsed last.
    version: Option<Version>,
    /// The last good ones.
    objects: BTreeMap<ObjectReference, Arc<Object>>,
    problems: Vec<Problem>,
}

impl Folder {
    /// Takes in what a scan found and returns what changes by it.
    pub(crate) fn update(&mut self, found: Found) -> Batch {
        self.files.retain(|path, _| {
            // Below a folder that cannot be listed nothing is known to be gone.
            let mut parents = path.ancestors();
            parents.any(|parent| found.get(parent).is_some_and(|content| content.is_err()))
                || found.contains_key(path)
        });
        for (path, content) in found {
            let state = self.files.entry(path.clone()).or_default();
            match content {
                Ok(text) => state.take_in(&path, &text),
                Err(error) => state.refuse(&path, &error),
            }
        }
        let (served, mut problems) = self.merge();
        problems.extend(self.files.values().flat_map(|file| file.problems.clone()));
        problems.sort_unstable();
        let batch = Batch {
            applied: changed(&self.served, &served),
            removed: gone(&self.served, &served),
            problems: (problems != self.problems).then(|| problems.clone()),
            ..Batch::default()
        };
        self.served = served;
        self.problems = problems;
        batch
    }

    /// Takes in that the folder cannot be listed: all that it held stays.
    pub(crate) fn unlistable(&mut self, folder: &Path, error: &io::Error) -> Batch {
        let problem = file_problem(
            folder,
            "FolderUnreadable",
            format!("the folder cannot be listed ({error}); what it held stays in force"),
            "Make the folder readable again; it is looked at every few seconds",
        );
        let problems = vec![problem];
        let changed = problems != self.problems;
        self.problems.clone_from(&problems);
        Batch {
            problems: changed.then_some(problems),
            ..Batch::default()
        }
    }

    /// Returns of each object the one in the first file that has it, and a problem for each other.
    fn merge(&self) -> (BTreeMap<ObjectReference, Arc<Object>>, Vec<Problem>) {
        let mut served = BTreeMap::new();
        let mut owners: BTreeMap<&ObjectReference, &Path> = BTreeMap::new();
        let mut problems = Vec::new();
        for (path, file) in &self.files {
            for (reference, object) in &file.objects {
                match owners.get(reference) {
                    None => {
                        owners.insert(reference, path);
                        served.insert(reference.clone(), Arc::clone(object));
                    }
                    Some(owner) => problems.push(duplicate(reference, owner, path)),
                }
            }
        }
        (served, problems)
    }
}

impl FileState {
    fn take_in(&mut self, path: &Path, text: &str) {
        let version = Version::of(text.as_bytes());
        if self.version == Some(version) {
            return;
        }
        self.version = Some(version);
        let parsed = parse_objects(text);
        let mut objects = BTreeMap::new();
        let mut problems = Vec::new();
        for object in parsed.objects {
            match objects.entry(object.reference()) {
                Entry::Vacant(entry) => drop(entry.insert(Arc::new(object))),
                Entry::Occupied(entry) => problems.push(duplicate(entry.key(), path, path)),
            }
        }
        let kept = self.keep(&parsed.problems, &mut objects);
        let name = path.display().to_string();
        problems.extend(parsed.problems.into_iter().map(|problem| {
            let may_hide = may_hide(&problem);
            let mut problem = problem.in_file(&name);
            if kept > 0 && may_hide {
                problem.message += &stays(kept);
            }
            problem
        }));
        self.objects = objects;
        self.problems = problems;
    }

    fn refuse(&mut self, path: &Path, error: &Unreadable) {
        self.version = None;
        let kept = match self.objects.len() {
            0 => String::new(),
            kept => stays(kept),
        };
        self.problems = vec![file_problem(
            path,
            "FileUnreadable",
            format!("the file is passed over: {error}{kept}"),
            "Make it a readable text file, or remove it",
        )];
    }

    /// Keeps the last good version of what is missing, if a problem may hide it, and returns how many objects that are. A
    /// file that is cut short may lack whole documents, so a malformed one may hide any object.
    fn keep(
        &self,
        problems: &[DocumentProblem],
        objects: &mut BTreeMap<ObjectReference, Arc<Object>>,
    ) -> usize {
        if !problems.iter().any(may_hide) {
            return 0;
        }
        let now = objects.len();
        for (reference, object) in &self.objects {
            let entry = objects.entry(reference.clone());
            entry.or_insert_with(|| Arc::clone(object));
        }
        objects.len() - now
    }
}

fn may_hide(problem: &DocumentProblem) -> bool {
    // These are of a document that is whole.
    ![ProblemCode::FieldUnknown, ProblemCode::KindIgnored].contains(&problem.code)
}

fn changed(
    before: &BTreeMap<ObjectReference, Arc<Object>>,
    now: &BTreeMap<ObjectReference, Arc<Object>>,
) -> Vec<Object> {
    now.iter()
        .filter(|(reference, object)| before.get(reference) != Some(object))
        .map(|(_, object)| Object::clone(object))
        .collect()
}

fn gone(
    before: &BTreeMap<ObjectReference, Arc<Object>>,
    now: &BTreeMap<ObjectReference, Arc<Object>>,
) -> Vec<ObjectReference> {
    let gone = before.keys().filter(|key| !now.contains_key(key));
    gone.cloned().collect()
}

/// Returns the problem of an object that is in two files.
pub(crate) fn duplicate(reference: &ObjectReference, counts: &Path, passed_over: &Path) -> Problem {
    Problem {
        object: reference.clone(),
        field: "metadata.name".to_owned(),
        code: "ObjectDuplicate".to_owned(),
        message: format!(
            "it is in {} and again in {}; the first counts",
            counts.display(),
            passed_over.display()
        ),
        remedy: "Remove one of the two, or give it another name".to_owned(),
    }
}

fn file_problem(path: &Path, code: &str, message: String, remedy: &str) -> Problem {
    Problem {
        object: ObjectReference {
            kind: "File".to_owned(),
            namespace: String::new(),
            name: path.display().to_string(),
        },
        field: String::new(),
        code: code.to_owned(),
        message,
        remedy: remedy.to_owned(),
    }
}

fn stays(kept: usize) -> String {
    match kept {
        1 => "; the last good version of 1 object of this file stays in force".to_owned(),
        _ => format!("; the last good versions of {kept} objects of this file stay in force"),
    }
}
