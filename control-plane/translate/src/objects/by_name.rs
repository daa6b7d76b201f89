//! A map from namespace and name that is asked without making a key.

use std::collections::BTreeMap;

/// Something for each of some namespaced objects; sorted.
#[derive(Clone, Debug)]
pub(crate) struct ByName<T>(BTreeMap<String, BTreeMap<String, T>>);

impl<T> ByName<T> {
    pub(crate) fn find(&self, namespace: &str, name: &str) -> Option<&T> {
        self.0.get(namespace)?.get(name)
    }

    pub(crate) fn insert(&mut self, namespace: &str, name: &str, value: T) -> Option<T> {
        let names = self.0.entry(namespace.to_owned()).or_default();
        names.insert(name.to_owned(), value)
    }

    /// Puts a value in the place of another one, or takes that out.
    pub(crate) fn put(&mut self, namespace: &str, name: &str, value: Option<T>) {
        match value {
            Some(value) => drop(self.insert(namespace, name, value)),
            None => drop(self.remove(namespace, name)),
        }
    }

    pub(crate) fn entry_or_default(&mut self, namespace: &str, name: &str) -> &mut T
    where
        T: Default,
    {
        let names = self.0.entry(namespace.to_owned()).or_default();
        names.entry(name.to_owned()).or_default()
    }

    pub(crate) fn remove(&mut self, namespace: &str, name: &str) -> Option<T> {
        let names = self.0.get_mut(namespace)?;
        let removed = names.remove(name);
        if names.is_empty() {
            self.0.remove(namespace);
        }
        removed
    }

    /// Returns the namespace and name of each, sorted.
    pub(crate) fn values(&self) -> impl Iterator<Item = &T> {
        self.0.values().flat_map(BTreeMap::values)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = (&String, &String)> {
        let namespaces = self.0.iter();
        namespaces.flat_map(|(namespace, names)| names.keys().map(move |name| (namespace, name)))
    }

    pub(crate) fn len(&self) -> usize {
        self.0.values().map(BTreeMap::len).sum()
    }
}

impl<T> Default for ByName<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}
