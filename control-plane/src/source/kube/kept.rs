//! Makes batches of what one watcher says, and remembers which objects that leaves.
//!
//! It does not do any I/O. After a disconnection a watcher may list everything anew: what was there and is not listed
//! any more was deleted meanwhile.

use std::collections::BTreeSet;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use kube::runtime::watcher::Event;
use sluice_proto::ObjectReference;
use sluice_translate::Object;

use crate::source::Batch;

/// The objects of one kind that were sent and not removed since: their references only.
#[derive(Debug)]
pub(crate) struct Kept<K> {
    into_object: fn(K) -> Object,
    sent: BTreeSet<ObjectReference>,
    listing: Option<Vec<Object>>,
}

impl<K> Kept<K>
where
    K: Resource,
    K::DynamicType: Default,
{
    pub(crate) fn new(into_object: fn(K) -> Object) -> Self {
        Self {
            into_object,
            sent: BTreeSet::new(),
            listing: None,
        }
    }

    /// Takes in an event and returns what changes by it, if it is complete. `counts` says which names are of interest.
    pub(crate) fn take_in(
        &mut self,
        event: Event<K>,
        counts: impl Fn(&str) -> bool,
    ) -> Option<Batch> {
        match event.modify(|object| strip(object.meta_mut())) {
            Event::Init => {
                self.listing = Some(Vec::new());
                None
            }
            Event::InitApply(object) => {
                if counts(name(&object)) {
                    let object = (self.into_object)(object);
                    self.listing.get_or_insert_default().push(object);
                }
                None
            }
            Event::InitDone => {
                let applied = self.listing.take().unwrap_or_default();
                let listed = applied.iter().map(Object::reference).collect();
                let removed = self.sent.difference(&listed).cloned().collect();
                self.sent = listed;
                Some(Batch {
                    applied,
                    removed,
                    ..Batch::default()
                })
            }
            Event::Apply(object) => {
                if !counts(name(&object)) {
                    return None;
                }
                let object = (self.into_object)(object);
                self.sent.insert(object.reference());
                Some(Batch {
                    applied: vec![object],
                    ..Batch::default()
                })
            }
            Event::Delete(object) => {
                let reference = (self.into_object)(object).reference();
                self.sent.remove(&reference).then(|| Batch {
                    removed: vec![reference],
                    ..Batch::default()
                })
            }
        }
    }

    /// Forgets, and returns what was sent and does not count any more.
    pub(crate) fn retain(&mut self, counts: impl Fn(&str) -> bool) -> Vec<ObjectReference> {
        self.sent
            .extract_if(.., |reference| !counts(&reference.name))
            .collect()
    }
}

fn name<K: Resource>(object: &K) -> &str {
    object.meta().name.as_deref().unwrap_or_default()
}

/// Drops what nobody reads and what is most of many objects.
fn strip(metadata: &mut ObjectMeta) {
    metadata.managed_fields = None;
    if let Some(annotations) = &mut metadata.annotations {
        annotations.remove(LAST_APPLIED);
    }
}

const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::collections::BTreeMap;

    use k8s_openapi::api::core::v1::Service;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;

    use super::*;

    fn service(name: &str) -> Service {
        Service {
            metadata: ObjectMeta {
                namespace: Some("shop".to_owned()),
                name: Some(name.to_owned()),
                annotations: Some(BTreeMap::from([
                    (LAST_APPLIED.to_owned(), "{}".to_owned()),
                    ("mine".to_owned(), "1".to_owned()),
                ])),
                managed_fields: Some(vec![ManagedFieldsEntry::default()]),
                ..ObjectMeta::default()
            },
            ..Service::default()
        }
    }

    fn names(batch: &Batch) -> (Vec<String>, Vec<String>) {
        let applied = batch.applied.iter().map(|object| object.reference().name);
        let removed = batch.removed.iter().map(|reference| reference.name.clone());
        (applied.collect(), removed.collect())
    }

    fn list(kept: &mut Kept<Service>, listed: &[&str]) -> Batch {
        assert!(kept.take_in(Event::Init, |_| true).is_none());
        for name in listed {
            let event = Event::InitApply(service(name));
            assert!(kept.take_in(event, |_| true).is_none(), "not before all");
        }
        kept.take_in(Event::InitDone, |_| true).unwrap()
    }

    #[test]
    fn what_is_not_listed_any_more_was_deleted_meanwhile() {
        let mut kept = Kept::new(Object::Service);
        let first = list(&mut kept, &["a", "b"]);
        assert_eq!(names(&first), (vec!["a".into(), "b".into()], vec![]));
        let applied = kept.take_in(Event::Apply(service("c")), |_| true).unwrap();
        assert_eq!(names(&applied), (vec!["c".into()], vec![]));
        let again = list(&mut kept, &["b"]);
        assert_eq!(
            names(&again),
            (vec!["b".into()], vec!["a".into(), "c".into()])
        );
        let deleted = kept.take_in(Event::Delete(service("b")), |_| true).unwrap();
        assert_eq!(names(&deleted), (vec![], vec!["b".into()]));
        assert!(
            kept.take_in(Event::Delete(service("b")), |_| true)
                .is_none()
        );
    }

    #[test]
    fn a_list_that_breaks_off_removes_nothing() {
        let mut kept = Kept::new(Object::Service);
        list(&mut kept, &["a", "b"]);
        kept.take_in(Event::Init, |_| true);
        kept.take_in(Event::InitApply(service("a")), |_| true);
        let again = list(&mut kept, &["a", "b"]);
        assert_eq!(names(&again), (vec!["a".into(), "b".into()], vec![]));
    }

    #[test]
    fn what_does_not_count_is_not_sent_and_is_removed_when_it_stops_to_count() {
        let mut kept = Kept::new(Object::Service);
        list(&mut kept, &["a", "b"]);
        let only_b = |name: &str| name == "b";
        let removed = kept.retain(only_b);
        assert_eq!(removed.len(), 1);
        assert_eq!(removed[0].name, "a");
        assert!(kept.take_in(Event::Apply(service("a")), only_b).is_none());
        assert!(kept.take_in(Event::Delete(service("a")), only_b).is_none());
    }

    #[test]
    fn what_nobody_reads_is_dropped() {
        let mut kept = Kept::new(Object::Service);
        let batch = kept.take_in(Event::Apply(service("a")), |_| true).unwrap();
        let Object::Service(service) = &batch.applied[0] else {
            unreachable!("a Service was applied");
        };
        assert_eq!(service.metadata.managed_fields, None);
        let annotations = service.metadata.annotations.as_ref().unwrap();
        assert_eq!(annotations.keys().collect::<Vec<_>>(), ["mine"]);
    }
}
