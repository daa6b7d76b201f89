//! Reads one document after the other: what it says it is, then the object.
//!
//! It does not cut a text into documents (`documents.rs`).

use k8s_openapi::Metadata;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_saphyr::Spanned;
use sluice_proto::ObjectReference;

use crate::custom::{CustomKind, PolicyKind, SettingsKind};
use crate::object::Object;
use crate::parse::documents::Document;
use crate::parse::{DocumentProblem, ParsedObjects};
use crate::problem::ProblemCode;
use crate::traefik::{MiddlewareKind, ServersTransportKind, TlsOptionKind};
use crate::yaml::{self, Unreadable};

/// Reads documents one after the other, and remembers what they hold and what is wrong with them.
#[derive(Default)]
pub(super) struct Reader {
    parsed: ParsedObjects,
    document: usize,
    /// The line of the document, or of the item of a list.
    line: usize,
    mentions_secrets: bool,
}

impl Reader {
    pub(super) fn into_parsed(self) -> ParsedObjects {
        self.parsed
    }

    pub(super) fn document(&mut self, document: Document<'_>) {
        self.document = document.number;
        self.mentions_secrets = document.text.contains("Secret");
        self.line = document.line;
        let header = match yaml::read::<Option<Header>>(document.text) {
            Ok((Some(header), _)) => header,
            Ok((None, _)) => return,
            Err(unreadable) => return self.malformed(None, unreadable),
        };
        if header.is_list() {
            return self.list(document);
        }
        self.object(&header, &Text(document.text));
    }

    fn list(&mut self, document: Document<'_>) {
        let items = match yaml::read::<List>(document.text) {
            Ok((list, _)) => list.items,
            Err(unreadable) => return self.malformed(None, unreadable),
        };
        for item in items {
            let line = usize::try_from(item.referenced.line()).unwrap_or(usize::MAX);
            self.line = document.line + line.saturating_sub(1);
            match yaml::read_value::<Header>(&item.value) {
                Ok((header, _)) => self.object(&header, &Value(&item.value)),
                Err(unreadable) => self.malformed(None, unreadable),
            }
        }
    }

    fn object(&mut self, header: &Header, body: &impl Body) {
        let reference = header.reference();
        match (header.api_version.as_str(), header.kind.as_str()) {
            ("networking.k8s.io/v1", "IngressClass") => {
                self.typed(reference, body, Object::IngressClass)
            }
            ("networking.k8s.io/v1", "Ingress") => self.typed(reference, body, Object::Ingress),
            ("v1", "Service") => self.typed(reference, body, Object::Service),
            ("discovery.k8s.io/v1", "EndpointSlice") => {
                self.typed(reference, body, Object::EndpointSlice)
            }
            ("v1", "Secret") => self.typed(reference, body, Object::Secret),
            (SettingsKind::API_VERSION, SettingsKind::KIND) => {
                self.typed(reference, body, Object::Settings)
            }
            (PolicyKind::API_VERSION, PolicyKind::KIND) => {
                self.typed(reference, body, Object::Policy)
            }
            ("v1", "Node") => self.typed(reference, body, Object::Node),
            // The second is what Traefik's group was called before.
            ("traefik.io/v1alpha1" | "traefik.containo.us/v1alpha1", MiddlewareKind::KIND) => {
                self.typed(reference, body, Object::Middleware)
            }
            (
                "traefik.io/v1alpha1" | "traefik.containo.us/v1alpha1",
                ServersTransportKind::KIND,
            ) => self.typed(reference, body, Object::ServersTransport),
            ("traefik.io/v1alpha1" | "traefik.containo.us/v1alpha1", TlsOptionKind::KIND) => {
                self.typed(reference, body, Object::TlsOption)
            }
            ("", _) | (_, "") => self.problem(
                None,
                ProblemCode::DocumentMalformed,
                (self.line, String::new()),
                "it does not say what it is; it is passed over".to_owned(),
                "Give it apiVersion and kind",
            ),
            (version, kind) if version.starts_with("ingress.sluice.dev/") => self.problem(
                Some(reference),
                ProblemCode::DocumentMalformed,
                (self.line, "kind".to_owned()),
                format!("this version of Sluice knows no {kind} of {version}; it is passed over"),
                "Write Policy or Settings, of ingress.sluice.dev/v1alpha1",
            ),
            (version, kind) => self.problem(
                Some(reference),
                ProblemCode::KindIgnored,
                (self.line, "kind".to_owned()),
                format!("Sluice does not read {kind} of {version}; it is passed over"),
                "Nothing, if it is here for others",
            ),
        }
    }

    /// Reads an object of a kind that is known.
    fn typed<K>(
        &mut self,
        reference: ObjectReference,
        body: &impl Body,
        into_object: fn(K) -> Object,
    ) where
        K: DeserializeOwned + Metadata<Ty = ObjectMeta>,
    {
        let (mut object, unknown) = match body.read::<K>() {
            Ok(read) => read,
            Err(unreadable) => return self.malformed(Some(reference), unreadable),
        };
        let metadata = object.metadata_mut();
        metadata.namespace = Some(reference.namespace.clone()).filter(|name| !name.is_empty());
        metadata.name = Some(reference.name.clone());
        if !is_name(&reference.name)
            || !(reference.namespace.is_empty() || is_name(&reference.namespace))
        {
            return self.problem(
                Some(reference).filter(|reference| !reference.name.is_empty()),
                ProblemCode::NameInvalid,
                (self.line, "metadata.name".to_owned()),
                "it has no name that Kubernetes would take; it is passed over".to_owned(),
                "Give it a name and namespace of lower-case letters, digits, hyphens and dots",
            );
        }
        for field in unknown {
            self.problem(
                Some(reference.clone()),
                ProblemCode::FieldUnknown,
                (self.line, field.clone()),
                format!("the field {field} is not known; it has no effect"),
                "Correct its name or remove it",
            );
        }
        self.parsed.objects.push(into_object(object));
    }

    fn malformed(&mut self, object: Option<ObjectReference>, unreadable: Unreadable) {
        let is_secret = match &object {
            Some(object) => object.kind == "Secret",
            None => self.mentions_secrets,
        };
        let reason = if is_secret {
            // What a parser says may quote the text.
            "it is no object of Kubernetes".to_owned()
        } else {
            unreadable.reason
        };
        let place = match unreadable.field.as_str() {
            "" => String::new(),
            field => format!("{field}: "),
        };
        let line = self.line + unreadable.line.saturating_sub(1);
        self.problem(
            object.filter(|object| !object.name.is_empty()),
            ProblemCode::DocumentMalformed,
            (line, unreadable.field),
            format!("{place}{reason}; the document is passed over"),
            "Correct the document",
        );
    }

    fn problem(
        &mut self,
        object: Option<ObjectReference>,
        code: ProblemCode,
        (line, field): (usize, String),
        message: String,
        remedy: &str,
    ) {
        self.parsed.problems.push(DocumentProblem {
            document: self.document,
            line,
            object,
            field,
            code,
            message,
            remedy: remedy.to_owned(),
        });
    }
}

/// What a document says it is.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Header {
    #[serde(default)]
    api_version: String,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    metadata: HeaderMetadata,
}

#[derive(Default, Deserialize)]
struct HeaderMetadata {
    name: Option<String>,
    namespace: Option<String>,
}

#[derive(Deserialize)]
struct List {
    #[serde(default)]
    items: Vec<Spanned<serde_json::Value>>,
}

impl Header {
    pub(super) const fn new(
        api_version: String,
        kind: String,
        name: Option<String>,
        namespace: Option<String>,
    ) -> Self {
        Self {
            api_version,
            kind,
            metadata: HeaderMetadata { name, namespace },
        }
    }

    /// Returns whether it is what `kubectl get` writes around several objects.
    pub(super) fn is_list(&self) -> bool {
        self.api_version == "v1" && self.kind.ends_with("List")
    }

    pub(super) fn reference(&self) -> ObjectReference {
        let namespace = self
            .metadata
            .namespace
            .clone()
            .filter(|name| !name.is_empty());
        ObjectReference {
            kind: self.kind.clone(),
            namespace: match self.kind.as_str() {
                "IngressClass" | "Node" | SettingsKind::KIND => String::new(),
                "Ingress"
                | "Service"
                | "EndpointSlice"
                | "Secret"
                | MiddlewareKind::KIND
                | ServersTransportKind::KIND
                | TlsOptionKind::KIND
                | PolicyKind::KIND => namespace.unwrap_or_else(|| "default".to_owned()),
                _ => namespace.unwrap_or_default(),
            },
            name: self.metadata.name.clone().unwrap_or_default(),
        }
    }
}

/// What an object is read from.
trait Body {
    fn read<K: DeserializeOwned>(&self) -> Result<(K, Vec<String>), Unreadable>;
}

/// A document.
struct Text<'a>(&'a str);

impl Body for Text<'_> {
    fn read<K: DeserializeOwned>(&self) -> Result<(K, Vec<String>), Unreadable> {
        yaml::read(self.0)
    }
}

/// An item of a list.
struct Value<'a>(&'a serde_json::Value);

impl Body for Value<'_> {
    fn read<K: DeserializeOwned>(&self) -> Result<(K, Vec<String>), Unreadable> {
        yaml::read_value(self.0)
    }
}

/// "Must consist of lower case alphanumeric characters, `-` or `.`": the slash between namespace and name stays the only
/// one.
fn is_name(name: &str) -> bool {
    let allowed =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
    (1..=253).contains(&name.len()) && name.bytes().all(allowed)
}
