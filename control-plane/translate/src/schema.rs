//! What the spec of a kind of Sluice's own can say, as data: the schema that its Rust type gives, what it says of each
//! field, and the CustomResourceDefinition that is made of it.
//!
//! It does not know any kind: `settings/spec.rs` and `policies/spec.rs` are the types.

use std::any::TypeId;

use k8s_openapi::NamespaceResourceScope;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::custom::CustomKind;

/// A field that a spec can have, for documents.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SpecField {
    /// Where it is, such as `timeouts.connect`.
    pub path: String,
    /// What it means.
    pub meaning: String,
    /// What may stand there; empty for a field that only holds others.
    pub value: String,
    /// What holds without it; empty for a field that only holds others, and for one that must be there.
    pub default: String,
    /// What holds if it is broken in an object, where that is not the default.
    pub broken: String,
    /// Whether it has no effect in the settings of a class.
    pub is_edge_only: bool,
}

/// Returns the CustomResourceDefinition that makes an API server know a kind.
pub(crate) fn definition<K: CustomKind>(tree: &Tree, singular: &str, description: &str) -> Value {
    let is_namespaced = TypeId::of::<K::Scope>() == TypeId::of::<NamespaceResourceScope>();
    let schema = json!({
        "type": "object",
        "description": description,
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": structural(tree.root().0.clone()),
        },
    });
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{}.{}", K::PLURAL, K::GROUP)},
        "spec": {
            "group": K::GROUP,
            "scope": if is_namespaced { "Namespaced" } else { "Cluster" },
            "names": {
                "plural": K::PLURAL,
                "singular": singular,
                "kind": K::KIND,
                "listKind": format!("{}List", K::KIND),
            },
            "versions": [{
                "name": K::VERSION,
                "served": true,
                "storage": true,
                "schema": {"openAPIV3Schema": schema},
            }],
        },
    })
}

/// The schema of a spec.
pub(crate) struct Tree(Value);

impl Tree {
    /// Returns the schema of a type.
    pub(crate) fn of<T: JsonSchema>() -> Self {
        let settings = SchemaSettings::openapi3().with(|settings| {
            settings.inline_subschemas = true;
            settings.meta_schema = None;
            settings.transforms.clear();
        });
        let schema = settings.into_generator().into_root_schema_for::<T>();
        Self(schema.to_value())
    }

    /// Returns each field, in the order of their names.
    pub(crate) fn list(&self) -> Vec<SpecField> {
        let mut fields = Vec::new();
        list("", self.root(), false, &mut fields);
        fields
    }

    pub(crate) const fn root(&self) -> Node<'_> {
        Node(&self.0)
    }

    /// Returns the schema of a part.
    pub(crate) fn find(&self, steps: &[Step]) -> Option<Node<'_>> {
        let mut steps = steps.iter();
        steps.try_fold(self.root(), |node, step| match step {
            Step::Field(name) => node.field(name),
            Step::Index(_) => node.items(),
        })
    }
}

/// One step down from a value to a part of it.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Step {
    Field(String),
    Index(usize),
}

/// The schema of a part of a spec.
#[derive(Clone, Copy)]
pub(crate) struct Node<'a>(&'a Value);

impl<'a> Node<'a> {
    pub(crate) fn fields(self) -> impl Iterator<Item = (&'a str, Self)> {
        let fields = self.0["properties"].as_object().into_iter().flatten();
        fields.map(|(name, node)| (name.as_str(), Node(node)))
    }

    /// Returns the field of this name, or of any name if it is a map.
    pub(crate) fn field(self, name: &str) -> Option<Self> {
        let own = self.0.get("properties").and_then(|fields| fields.get(name));
        let any = || {
            self.0
                .get("additionalProperties")
                .filter(|any| any.is_object())
        };
        own.or_else(any).map(Node)
    }

    pub(crate) fn items(self) -> Option<Self> {
        self.0.get("items").map(Node)
    }

    /// Returns whether it cannot be without this field.
    pub(crate) fn needs(self, field: &str) -> bool {
        let mut needed = self.0["required"].as_array().into_iter().flatten();
        needed.any(|needed| needed == field)
    }

    /// Returns whether it cannot be empty.
    pub(crate) fn needs_items(self) -> bool {
        self.0["minItems"].as_u64() > Some(0)
    }

    /// Returns whether it is broken as a whole if one of its items is.
    pub(crate) fn is_tainted_by_items(self) -> bool {
        self.items()
            .is_some_and(|items| items.0["x-taints"] == true)
    }

    /// Returns whether it is broken if this field of it is.
    pub(crate) fn is_tainted_by(self, field: &str) -> bool {
        self.field(field)
            .is_some_and(|field| field.0["x-taints"] == true)
    }

    pub(crate) fn is_edge_only(self) -> bool {
        self.0["x-edge"] == true
    }

    pub(crate) fn is_mapping(self) -> bool {
        types(self.0).any(|type_| type_ == "object")
    }

    /// Returns what stands in the place of what is broken, if not the default: the strictest of all that is in it.
    pub(crate) fn strictest(self, of_edge: bool) -> Option<Value> {
        if let Some(own) = self.0.get("x-broken") {
            return Some(own.clone());
        }
        let fields = self.fields();
        let fields: Map<String, Value> = fields
            .filter(|(_, field)| of_edge || !field.is_edge_only())
            .filter_map(|(name, field)| Some((name.to_owned(), field.strictest(of_edge)?)))
            .collect();
        (!fields.is_empty()).then_some(Value::Object(fields))
    }
}

/// Returns where something else stands than the mapping that should.
pub(crate) fn no_mapping(node: Node<'_>, value: &Value) -> Option<Vec<Step>> {
    let below = |node: Option<Node<'_>>, value: &Value, step: Step| {
        let mut steps = no_mapping(node?, value)?;
        steps.insert(0, step);
        Some(steps)
    };
    match value {
        Value::Object(fields) => fields
            .iter()
            .find_map(|(name, value)| below(node.field(name), value, Step::Field(name.clone()))),
        Value::Null => None,
        _ if node.is_mapping() => Some(Vec::new()),
        Value::Array(items) => (items.iter().enumerate())
            .find_map(|(index, value)| below(node.items(), value, Step::Index(index))),
        _ => None,
    }
}

fn list(above: &str, node: Node<'_>, is_edge_only: bool, to: &mut Vec<SpecField>) {
    for (name, field) in node.fields() {
        let path = format!("{above}{name}");
        let is_edge_only = is_edge_only || field.is_edge_only();
        to.push(SpecField {
            meaning: flat(field.0["description"].as_str().unwrap_or_default()),
            value: value(field),
            default: said(&field.0["x-default"]),
            broken: said(&field.0["x-broken"]),
            is_edge_only,
            path: path.clone(),
        });
        let any = field.field("").filter(|_| field.fields().next().is_none());
        if let Some(items) = field.items() {
            list(&format!("{path}[]."), items, is_edge_only, to);
        } else if let Some(any) = any {
            list(&format!("{path}.NAME."), any, is_edge_only, to);
        } else {
            list(&format!("{path}."), field, is_edge_only, to);
        }
    }
}

fn value(field: Node<'_>) -> String {
    if let Some(value) = field.0["x-value"].as_str() {
        return value.to_owned();
    }
    if let Some(choices) = choices(field.0) {
        return choices.join(" or ");
    }
    if let Some(items) = field.items() {
        return match value(items) {
            of if of.is_empty() => "a list".to_owned(),
            of => format!("a list; of each, {of}"),
        };
    }
    let any = field.field("").filter(|_| field.fields().next().is_none());
    if let Some(of) = any.map(value).filter(|of| !of.is_empty()) {
        return format!("names; of each, {of}");
    }
    if types(field.0).any(|type_| type_ == "boolean") {
        return "true or false".to_owned();
    }
    String::new()
}

fn choices(schema: &Value) -> Option<Vec<&str>> {
    let choices = schema["enum"].as_array()?;
    Some(choices.iter().filter_map(Value::as_str).collect())
}

fn types(schema: &Value) -> impl Iterator<Item = &str> {
    let types = &schema["type"];
    let several = types.as_array().into_iter().flatten();
    several.filter_map(Value::as_str).chain(types.as_str())
}

fn said(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Returns the schema as an API server takes it: one type each, nothing that may be null, and what is said beside
/// (`x-default` and so on) in words.
fn structural(schema: Value) -> Value {
    let Value::Object(mut fields) = schema else {
        return schema;
    };
    let words = description(&fields);
    fields.retain(|key, value| {
        let is_ours = key.starts_with("x-") && !key.starts_with("x-kubernetes-");
        let forbids_others = key == "additionalProperties" && !value.is_object();
        !is_ours
            && !forbids_others
            && !["title", "format", "default", "propertyNames"].contains(&key.as_str())
    });
    if let Some(words) = words {
        fields.insert("description".to_owned(), words);
    }
    for (key, value) in &mut fields {
        match key.as_str() {
            "type" => {
                let first = value.as_array().and_then(|types| types.first()).cloned();
                *value = first.unwrap_or_else(|| value.take());
            }
            "enum" => {
                if let Value::Array(choices) = value {
                    choices.retain(|choice| !choice.is_null());
                }
            }
            "properties" => {
                if let Value::Object(properties) = value {
                    for property in properties.values_mut() {
                        *property = structural(property.take());
                    }
                }
            }
            "items" | "additionalProperties" => *value = structural(value.take()),
            _ => {}
        }
    }
    Value::Object(fields)
}

fn description(schema: &Map<String, Value>) -> Option<Value> {
    let mut words = flat(schema.get("description")?.as_str()?);
    if let Some(default) = schema.get("x-default") {
        words.push_str(&format!(" Default: {}.", said(default)));
    }
    if schema.get("x-edge").is_some_and(|edge| edge == true) {
        words.push_str(" Holds for the whole edge: has no effect in the settings of a class.");
    }
    Some(words.into())
}

/// Has a value described to API servers: `x-value` says it to people.
macro_rules! described {
    ($type:ident, $schema:tt) => {
        impl schemars::JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!($schema)
            }
        }
    };
}
pub(crate) use described;
