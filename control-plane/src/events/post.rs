//! Turns a notice into an Event of `events.k8s.io/v1` and posts it.
//!
//! It does not decide when (`ledger.rs`) and never retries by itself.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference as Regarding;
use k8s_openapi::api::events::v1::{Event, EventSeries};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::{Api, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::Status;
use serde_json::json;
use sluice_proto::{ObjectReference, Problem, Version};

use crate::events::ledger::Notice;
use crate::host::hostname;
use crate::kinds;

/// Posts Events in the name of this process.
#[derive(Clone)]
pub(crate) struct Poster {
    client: kube::Client,
    instance: String,
}

impl Poster {
    /// Posts through this client, under the name of this pod.
    pub(crate) fn new(client: kube::Client) -> Self {
        Self {
            client,
            instance: hostname(),
        }
    }

    /// Posts this on the object that it is about, or counts it up where it is posted already. Returns whether there is
    /// such an object.
    pub(crate) async fn post(&self, notice: &Notice) -> kube::Result<bool> {
        let object = match notice {
            Notice::Wrong { problem, .. } | Notice::Resolved(problem) => &problem.object,
            Notice::Live(live) => &live.ingress,
        };
        let Some(regarding) = self.regarding(object).await? else {
            return Ok(false);
        };
        let now = Timestamp::now();
        let event = event(notice, regarding, &self.instance, now);
        let namespace = event.metadata.namespace.as_deref().unwrap_or(DEFAULT);
        let api: Api<Event> = Api::namespaced(self.client.clone(), namespace);
        match api.create(&PostParams::default(), &event).await {
            Err(kube::Error::Api(status)) if status.is_already_exists() => {
                let patch = Patch::Merge(json!({ "series": again(notice, now) }));
                let name = event.metadata.name.as_deref().unwrap_or_default();
                api.patch(name, &PatchParams::default(), &patch).await?;
            }
            // The namespace is on its way out, and its objects with it.
            Err(kube::Error::Api(status)) if status.is_not_found() || is_ending(&status) => {
                return Ok(false);
            }
            created => drop(created?),
        }
        Ok(true)
    }

    /// Returns how the API server names the object, if it has it. `kubectl describe` shows an Event only with the
    /// object's own uid.
    async fn regarding(&self, object: &ObjectReference) -> kube::Result<Option<Regarding>> {
        let Some(resource) = kinds::resource(&object.kind) else {
            return Ok(None);
        };
        let client = self.client.clone();
        let api: Api<DynamicObject> = if object.namespace.is_empty() {
            Api::all_with(client, &resource)
        } else {
            Api::namespaced_with(client, &object.namespace, &resource)
        };
        let uid = match api.get_metadata(&object.name).await {
            Ok(found) => found.metadata.uid,
            Err(kube::Error::Api(status)) if status.is_not_found() => return Ok(None),
            // A Secret in a namespace that was not granted: better an Event that is harder to find than none.
            Err(kube::Error::Api(status)) if status.is_forbidden() => None,
            Err(error) => return Err(error),
        };
        Ok(Some(Regarding {
            api_version: Some(resource.api_version),
            kind: Some(resource.kind),
            namespace: Some(object.namespace.clone()).filter(|namespace| !namespace.is_empty()),
            name: Some(object.name.clone()),
            uid,
            ..Regarding::default()
        }))
    }
}

fn is_ending(status: &Status) -> bool {
    status.is_forbidden() && status.message.contains("because it is being terminated")
}

fn again(notice: &Notice, now: Timestamp) -> EventSeries {
    let count = match notice {
        Notice::Wrong { count, .. } => *count,
        Notice::Resolved(_) | Notice::Live(_) => FEWEST_OF_A_SERIES,
    };
    EventSeries {
        count: count.max(FEWEST_OF_A_SERIES),
        last_observed_time: MicroTime(now),
    }
}

fn event(notice: &Notice, regarding: Regarding, instance: &str, now: Timestamp) -> Event {
    let (type_, reason, note) = match notice {
        Notice::Wrong { problem, .. } => ("Warning", problem.code.as_str(), note(problem)),
        Notice::Resolved(problem) => ("Normal", "Resolved", resolved(problem)),
        Notice::Live(live) => ("Normal", "Live", live.note.clone()),
    };
    // The same thing about the same object has the same name: a restarted control plane counts up, it does not repeat.
    let identity = format!(
        "{type_}\0{reason}\0{note}\0{}",
        regarding.uid.as_deref().unwrap_or_default()
    );
    let hash = Version::of(identity.as_bytes());
    let object = regarding.name.as_deref().unwrap_or_default();
    let object = cut(object, LONGEST_OBJECT).trim_end_matches(['-', '.']);
    let name = format!("{object}.{hash}");
    Event {
        metadata: ObjectMeta {
            name: Some(name),
            namespace: Some(regarding.namespace.as_deref().unwrap_or(DEFAULT).to_owned()),
            ..ObjectMeta::default()
        },
        type_: Some(type_.to_owned()),
        reason: Some(cut(reason, LONGEST_REASON).to_owned()),
        action: Some(ACTION.to_owned()),
        note: Some(note),
        regarding: Some(regarding),
        event_time: Some(MicroTime(now)),
        reporting_controller: Some(CONTROLLER.to_owned()),
        reporting_instance: Some(cut(instance, LONGEST_REASON).to_owned()),
        ..Event::default()
    }
}

fn note(problem: &Problem) -> String {
    let place = if problem.field.is_empty() {
        String::new()
    } else {
        format!("{}: ", problem.field)
    };
    // What is wrong may quote the user at length; what to do about it must not be cut off.
    let remedy = cut(&problem.remedy, LONGEST_NOTE / 2);
    let room = LONGEST_NOTE - remedy.len() - 2;
    let wrong = format!("{place}{}", problem.message);
    format!("{}. {remedy}", cut(&wrong, room))
}

fn resolved(problem: &Problem) -> String {
    let note = format!("{} of {} is resolved", problem.code, problem.field);
    cut(&note, LONGEST_NOTE).to_owned()
}

/// Returns as much of the text as fits into `most` bytes.
fn cut(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

const CONTROLLER: &str = "ingress.sluice.dev/controller";
const ACTION: &str = "Translate";
/// Events about objects without a namespace are in this one, as everybody else's are.
const DEFAULT: &str = "default";
/// "count must be at least 2" (the API server's validation of a series).
const FEWEST_OF_A_SERIES: i32 = 2;
/// "note has at most 1kB", "reason … can have at most 128 characters" (the API reference of Event).
const LONGEST_NOTE: usize = 1024;
const LONGEST_REASON: usize = 128;
/// A name has at most 253 characters, and the hash and its dot take 33.
const LONGEST_OBJECT: usize = 220;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn wrong(message: &str) -> Notice {
        Notice::Wrong {
            problem: Problem {
                object: ObjectReference {
                    kind: "Ingress".to_owned(),
                    namespace: "shop".to_owned(),
                    name: "web".to_owned(),
                },
                field: "spec.rules[0]".to_owned(),
                code: "ServiceMissing".to_owned(),
                message: message.to_owned(),
                remedy: "Create it".to_owned(),
            },
            count: 1,
        }
    }

    fn on(name: &str, uid: &str) -> Regarding {
        Regarding {
            namespace: Some("shop".to_owned()),
            name: Some(name.to_owned()),
            uid: Some(uid.to_owned()),
            ..Regarding::default()
        }
    }

    #[test]
    fn an_event_says_where_what_and_how_to_mend_it() {
        let now = Timestamp::UNIX_EPOCH;
        let event = event(
            &wrong("Service shop/api is missing"),
            on("web", "1"),
            "pod",
            now,
        );
        assert_eq!(event.type_.as_deref(), Some("Warning"));
        assert_eq!(event.reason.as_deref(), Some("ServiceMissing"));
        assert_eq!(
            event.note.as_deref(),
            Some("spec.rules[0]: Service shop/api is missing. Create it")
        );
        assert_eq!(event.metadata.namespace.as_deref(), Some("shop"));
    }

    #[test]
    fn the_same_problem_of_the_same_object_has_the_same_name() {
        let name = |message: &str, uid: &str, at: i64| {
            let now = Timestamp::from_second(at).unwrap();
            event(&wrong(message), on("web", uid), "pod", now)
                .metadata
                .name
                .unwrap()
        };
        assert_eq!(name("a", "1", 0), name("a", "1", 9));
        assert_ne!(name("a", "1", 0), name("b", "1", 0));
        assert_ne!(name("a", "1", 0), name("a", "2", 0), "it was made anew");
    }

    #[test]
    fn what_is_too_long_is_cut_where_the_api_server_would_refuse_it() {
        let now = Timestamp::UNIX_EPOCH;
        let event = event(
            &wrong(&"ä".repeat(5000)),
            on(&"a-".repeat(126), "1"),
            "pod",
            now,
        );
        let note = event.note.unwrap();
        assert!(
            note.len() <= LONGEST_NOTE && note.ends_with("Create it"),
            "{note}"
        );
        let name = event.metadata.name.unwrap();
        assert!(name.len() <= 253 && !name.contains("-."), "{name}");
    }
}
