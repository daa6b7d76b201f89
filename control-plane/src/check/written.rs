//! What the Ingresses of an input name that the input does not have, as they have written it.
//!
//! It does not translate.

use k8s_openapi::api::networking::v1::{Ingress, IngressBackend, IngressClass};
use sluice_proto::ObjectReference;
use sluice_translate::{Object, assumed_class};

/// Returns the Ingresses among these objects.
pub(super) fn ingresses(objects: &[Object]) -> impl Iterator<Item = &Ingress> {
    objects.iter().filter_map(|object| match object {
        Object::Ingress(ingress) => Some(ingress),
        _ => None,
    })
}

/// Returns classes of this controller, so that each of the Ingresses is of one.
pub(super) fn assumed_classes(objects: &[Object], controller: &str) -> Vec<IngressClass> {
    let classes = ingresses(objects).map(|ingress| assumed_class(ingress, controller));
    let mut classes: Vec<_> = classes.collect();
    classes.sort_by(|one, other| one.metadata.name.cmp(&other.metadata.name));
    classes.dedup();
    classes
}

/// Returns what an Ingress writes as the backend of a route's field, as the name of a backend; a port may be a name there.
pub(super) fn backend(
    objects: &[Object],
    ingress: &ObjectReference,
    field: &str,
) -> Option<String> {
    let is_meant = |candidate: &&Ingress| {
        candidate.metadata.namespace.as_deref() == Some(&ingress.namespace)
            && candidate.metadata.name.as_deref() == Some(&ingress.name)
    };
    let found = ingresses(objects).find(is_meant)?;
    let service = at(found, field)?.service.as_ref()?;
    let port = service.port.as_ref()?;
    let port = match &port.name {
        Some(name) => name.clone(),
        None => port.number?.to_string(),
    };
    Some(format!("{}/{}:{port}", ingress.namespace, service.name))
}

fn at<'a>(ingress: &'a Ingress, field: &str) -> Option<&'a IngressBackend> {
    let spec = ingress.spec.as_ref()?;
    if field == "spec.defaultBackend" {
        return spec.default_backend.as_ref();
    }
    let (rule, path) = field
        .strip_prefix("spec.rules[")?
        .strip_suffix(']')?
        .split_once("].http.paths[")?;
    let rule = spec.rules.as_ref()?.get(rule.parse::<usize>().ok()?)?;
    let path = rule.http.as_ref()?.paths.get(path.parse::<usize>().ok()?)?;
    Some(&path.backend)
}
