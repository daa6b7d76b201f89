//! What there is to know for the status of Ingresses: whose they are, what their status is, and where the nodes are.
//!
//! The reconcile loop fills it from the same changes that it translates; nothing here is translated. It decides nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use k8s_openapi::api::core::v1::Node;
use k8s_openapi::api::networking::v1::Ingress;
use sluice_proto::ObjectReference;
use sluice_translate::{Object, Objects, StatusAddress, StatusSettings};

/// Namespace and name of an Ingress.
pub(crate) type Name = (String, String);

/// What there is to know.
#[derive(Clone, Debug, Default)]
pub struct Board {
    ingresses: BTreeMap<Name, IngressFacts>,
    nodes: BTreeMap<String, NodeFacts>,
    settings: StatusSettings,
}

/// An Ingress.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct IngressFacts {
    /// It changes with each change of the object.
    pub(crate) version: String,
    /// What its status says.
    pub(crate) addresses: BTreeSet<StatusAddress>,
    pub(crate) ownership: Ownership,
}

/// Whether the status of an Ingress is ours to write.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Ownership {
    Ours,
    /// It was, and its status has not changed since: what stands there is ours to take away.
    Left,
    Others,
}

/// A Kubernetes node. That it is alive, which it says again and again, is not part of it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct NodeFacts {
    pub(crate) internal: BTreeSet<IpAddr>,
    pub(crate) external: BTreeSet<IpAddr>,
    /// Whether Kubernetes says that it is well.
    pub(crate) is_ready: bool,
}

/// What an object says, taken before it moves on.
#[derive(Debug)]
pub(crate) enum Fact {
    Ingress(Name, String, BTreeSet<StatusAddress>),
    Node(String, NodeFacts),
    /// Whose Ingresses are whose may have changed.
    Class,
}

impl Fact {
    /// Returns what this object says.
    pub(crate) fn of(object: &Object) -> Option<Self> {
        match object {
            Object::Ingress(ingress) => {
                let metadata = &ingress.metadata;
                let name = (
                    metadata.namespace.clone().unwrap_or_default(),
                    metadata.name.clone().unwrap_or_default(),
                );
                let version = metadata.resource_version.clone().unwrap_or_default();
                Some(Self::Ingress(name, version, addresses(ingress)))
            }
            Object::Node(node) => {
                let name = node.metadata.name.clone().unwrap_or_default();
                Some(Self::Node(name, facts(node)))
            }
            Object::IngressClass(_) | Object::Settings(_) => Some(Self::Class),
            _ => None,
        }
    }
}

impl Board {
    /// Takes in what objects say that `objects` have by now, and what is gone. Returns whether anything changed.
    pub(crate) fn take_in(
        &mut self,
        facts: Vec<Fact>,
        removed: &[ObjectReference],
        objects: &Objects,
    ) -> bool {
        let mut changed = false;
        let mut classes_changed = removed
            .iter()
            .any(|object| ["IngressClass", "Settings"].contains(&object.kind.as_str()));
        for object in removed {
            changed |= match object.kind.as_str() {
                "Ingress" => {
                    let name = (object.namespace.clone(), object.name.clone());
                    self.ingresses.remove(&name).is_some()
                }
                "Node" => self.nodes.remove(&object.name).is_some(),
                _ => false,
            };
        }
        for fact in facts {
            changed |= match fact {
                Fact::Ingress(name, version, addresses) => {
                    let is_ours = objects.is_status_ours(&name.0, &name.1);
                    self.put_ingress(name, version, addresses, is_ours)
                }
                Fact::Node(name, node) => {
                    self.nodes.insert(name, node.clone()).as_ref() != Some(&node)
                }
                Fact::Class => {
                    classes_changed = true;
                    false
                }
            };
        }
        changed | (classes_changed && self.follow_settings(objects))
    }

    /// Takes in the settings that are in force. Returns whether anything changed.
    pub(crate) fn follow_settings(&mut self, objects: &Objects) -> bool {
        let settings = objects.settings().map(|settings| settings.status.clone());
        let settings = settings.unwrap_or_default();
        let changed = self.settings != settings;
        self.settings = settings;
        changed | self.classify(objects)
    }

    pub(crate) const fn settings(&self) -> &StatusSettings {
        &self.settings
    }

    pub(crate) const fn ingresses(&self) -> &BTreeMap<Name, IngressFacts> {
        &self.ingresses
    }

    pub(crate) const fn nodes(&self) -> &BTreeMap<String, NodeFacts> {
        &self.nodes
    }

    fn put_ingress(
        &mut self,
        name: Name,
        version: String,
        addresses: BTreeSet<StatusAddress>,
        is_ours: bool,
    ) -> bool {
        let old = self.ingresses.get(&name);
        let is_same = |old: &IngressFacts| old.addresses == addresses;
        let ownership = match old {
            _ if is_ours => Ownership::Ours,
            Some(old) if old.ownership != Ownership::Others && is_same(old) => Ownership::Left,
            _ => Ownership::Others,
        };
        let new = IngressFacts {
            version,
            addresses,
            ownership,
        };
        let changed = old != Some(&new);
        self.ingresses.insert(name, new);
        changed
    }

    /// Says anew of each Ingress whose it is.
    fn classify(&mut self, objects: &Objects) -> bool {
        let mut changed = false;
        for ((namespace, name), facts) in &mut self.ingresses {
            let ownership = match (objects.is_status_ours(namespace, name), &facts.ownership) {
                (true, _) => Ownership::Ours,
                (false, Ownership::Others) => Ownership::Others,
                (false, _) => Ownership::Left,
            };
            changed |= facts.ownership != ownership;
            facts.ownership = ownership;
        }
        changed
    }
}

impl NodeFacts {
    /// Returns where the node is reached: at its external addresses, if it has some.
    pub(crate) fn published(&self) -> impl Iterator<Item = StatusAddress> {
        let addresses = if self.external.is_empty() {
            &self.internal
        } else {
            &self.external
        };
        addresses.iter().copied().map(StatusAddress::Ip)
    }
}

/// Returns what the status of an Ingress says.
pub(crate) fn addresses(ingress: &Ingress) -> BTreeSet<StatusAddress> {
    let status = ingress.status.as_ref();
    let balancer = status.and_then(|status| status.load_balancer.as_ref());
    let entries = balancer
        .into_iter()
        .flat_map(|balancer| balancer.ingress.iter().flatten());
    let address = |text: &String| match text.parse() {
        Ok(address) => StatusAddress::Ip(address),
        Err(_) => StatusAddress::Hostname(text.clone()),
    };
    let texts = entries.flat_map(|entry| entry.ip.iter().chain(&entry.hostname));
    texts.map(address).collect()
}

fn facts(node: &Node) -> NodeFacts {
    let status = node.status.as_ref();
    let of_type = |type_: &str| {
        let addresses = status
            .into_iter()
            .flat_map(|status| status.addresses.iter().flatten());
        addresses
            .filter(|address| address.type_ == type_)
            .filter_map(|address| address.address.parse().ok())
            .collect()
    };
    let conditions = status
        .into_iter()
        .flat_map(|status| status.conditions.iter().flatten());
    let mut ready = conditions.filter(|condition| condition.type_ == "Ready");
    NodeFacts {
        internal: of_type("InternalIP"),
        external: of_type("ExternalIP"),
        // A node that has not said so, as one that a test or an old API server makes, is not taken for ill.
        is_ready: ready.all(|condition| condition.status == "True"),
    }
}

#[cfg(test)]
mod tests {
    use sluice_translate::{EdgeSettings, parse_objects};

    use super::*;

    fn take_in(board: &mut Board, objects: &mut Objects, yaml: &str) -> bool {
        let parsed = parse_objects(yaml);
        assert_eq!(parsed.problems, []);
        let facts = parsed.objects.iter().filter_map(Fact::of).collect();
        for object in parsed.objects {
            let _ = objects.apply(object);
        }
        board.take_in(facts, &[], objects)
    }

    fn start() -> (Board, Objects) {
        let (mut board, mut objects) = (Board::default(), Objects::default());
        let mut settings = EdgeSettings::default();
        settings.ingress.controllers.insert("adopted".to_owned());
        let _ = objects.follow_settings(&settings);
        board.follow_settings(&objects);
        for (class, controller) in [
            ("sluice", "ingress.sluice.dev/controller"),
            ("nginx", "adopted"),
            ("other", "x"),
        ] {
            take_in(
                &mut board,
                &mut objects,
                &format!(
                    "apiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata: {{name: {class}}}\nspec: {{controller: \
                     {controller}}}\n"
                ),
            );
        }
        (board, objects)
    }

    fn ingress(class: &str, ip: &str) -> String {
        format!(
            "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: web, namespace: shop}}\nspec: \
             {{ingressClassName: {class}}}\nstatus: {{loadBalancer: {{ingress: [{{ip: {ip}}}]}}}}\n"
        )
    }

    fn ownership(board: &Board) -> &Ownership {
        let web = ("shop".to_owned(), "web".to_owned());
        &board.ingresses()[&web].ownership
    }

    #[test]
    fn only_ingresses_of_our_own_class_are_ours() {
        for (class, expected) in [
            ("sluice", Ownership::Ours),
            ("nginx", Ownership::Others),
            ("other", Ownership::Others),
            ("missing", Ownership::Others),
        ] {
            let (mut board, mut objects) = start();
            assert!(take_in(
                &mut board,
                &mut objects,
                &ingress(class, "192.0.2.1")
            ));
            assert_eq!(ownership(&board), &expected, "{class}");
            assert!(!take_in(
                &mut board,
                &mut objects,
                &ingress(class, "192.0.2.1")
            ));
        }
    }

    #[test]
    fn settings_that_are_an_object_count_like_the_file() {
        let (mut board, mut objects) = start();
        take_in(&mut board, &mut objects, &ingress("sluice", "192.0.2.1"));
        assert!(board.settings().publish);
        let edge = "apiVersion: ingress.sluice.dev/v1alpha1\nkind: Settings\nmetadata: {name: edge}\nspec: {status: {publish: \
                    false}, ingress: {controllers: [x]}}\n";
        assert!(take_in(&mut board, &mut objects, edge));
        assert!(!board.settings().publish);
        assert_eq!(ownership(&board), &Ownership::Left);
        let edge = ObjectReference {
            kind: "Settings".to_owned(),
            namespace: String::new(),
            name: "edge".to_owned(),
        };
        let _ = objects.remove(&edge);
        assert!(board.take_in(Vec::new(), &[edge], &objects));
        assert!(board.settings().publish);
        assert_eq!(ownership(&board), &Ownership::Ours);
    }

    #[test]
    fn who_goes_to_another_class_is_left_until_its_status_changes() {
        let (mut board, mut objects) = start();
        take_in(&mut board, &mut objects, &ingress("sluice", "192.0.2.1"));
        assert!(take_in(
            &mut board,
            &mut objects,
            &ingress("other", "192.0.2.1")
        ));
        assert_eq!(ownership(&board), &Ownership::Left);
        take_in(&mut board, &mut objects, &ingress("other", "192.0.2.9"));
        assert_eq!(ownership(&board), &Ownership::Others);
        take_in(&mut board, &mut objects, &ingress("other", "192.0.2.1"));
        assert_eq!(ownership(&board), &Ownership::Others, "it is theirs now");
        take_in(&mut board, &mut objects, &ingress("sluice", "192.0.2.1"));
        assert_eq!(ownership(&board), &Ownership::Ours);
    }

    #[test]
    fn a_class_that_goes_takes_its_ingresses_with_it() {
        let (mut board, mut objects) = start();
        take_in(&mut board, &mut objects, &ingress("sluice", "192.0.2.1"));
        let class = ObjectReference {
            kind: "IngressClass".to_owned(),
            namespace: String::new(),
            name: "sluice".to_owned(),
        };
        let _ = objects.remove(&class);
        assert!(board.take_in(Vec::new(), &[class], &objects));
        assert_eq!(ownership(&board), &Ownership::Left);
    }

    #[test]
    fn a_heartbeat_of_a_node_is_no_change() {
        let (mut board, mut objects) = start();
        let node = |beat: &str, ready: &str| {
            format!(
                "apiVersion: v1\nkind: Node\nmetadata: {{name: n}}\nstatus:\n  addresses: [{{type: InternalIP, address: \
                 10.0.0.1}}]\n  conditions: [{{type: Ready, status: '{ready}', lastHeartbeatTime: '{beat}'}}]\n"
            )
        };
        let first = "2026-01-01T00:00:00Z";
        assert!(take_in(&mut board, &mut objects, &node(first, "True")));
        assert!(!take_in(
            &mut board,
            &mut objects,
            &node("2026-01-01T00:05:00Z", "True")
        ));
        assert!(take_in(&mut board, &mut objects, &node(first, "Unknown")));
        assert!(!board.nodes()["n"].is_ready);
    }
}
