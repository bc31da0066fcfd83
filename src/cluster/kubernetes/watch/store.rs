//! The objects of one kind as they were last told, by namespace and name.
//!
//! Three sources write here: the list, the watch, and answers to changes of our own. Each object has a version that only
//! grows, so the newest wins whoever brings it; and what the watch has passed already cannot be brought back by an answer
//! that was slow.

use super::kept::Kept;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

type Key = (String, String);

/// One object: its version, and what of it was decided here.
struct Entry<T> {
    version: u64,
    print: Option<(String, u64)>,
    object: Arc<T>,
}

impl<T> Clone for Entry<T> {
    fn clone(&self) -> Self {
        Self { version: self.version, print: self.print.clone(), object: Arc::clone(&self.object) }
    }
}

type Objects<T> = BTreeMap<Key, Entry<T>>;

/// An object with what of it was decided here.
pub type Printed<T> = (Arc<T>, Option<(String, u64)>);

struct Inner<T> {
    objects: Objects<T>,
    /// How far the watch has told.
    told: u64,
}

/// The objects of one kind.
pub struct Store<T>(Mutex<Inner<T>>);

impl<T> Default for Store<T> {
    fn default() -> Self {
        Self(Mutex::new(Inner { objects: BTreeMap::new(), told: 0 }))
    }
}

/// The version as a number; 0 for what is none, which is older than everything.
pub fn number(version: Option<&str>) -> u64 {
    version.and_then(|text| text.parse().ok()).unwrap_or(0)
}

fn place<K: Kept>(object: &K) -> (Key, u64) {
    let meta = object.meta();
    let key = (meta.namespace.clone().unwrap_or_default(), meta.name.clone().unwrap_or_default());
    (key, number(meta.resource_version.as_deref()))
}

/// `None` for what is nothing to us.
fn entry<K: Kept>(object: K, version: u64) -> Option<Entry<K::As>> {
    let print = object.print();
    Some(Entry { version, print, object: Arc::new(object.keep()?) })
}

impl<T> Store<T> {
    fn inner(&self) -> MutexGuard<'_, Inner<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn find(&self, namespace: Option<&str>, name: &str) -> Option<Arc<T>> {
        let key = (namespace.unwrap_or_default().to_owned(), name.to_owned());
        self.inner().objects.get(&key).map(|entry| Arc::clone(&entry.object))
    }

    pub fn all(&self) -> Vec<Arc<T>> {
        self.inner().objects.values().map(|entry| Arc::clone(&entry.object)).collect()
    }

    /// All objects, each with what of it was decided here.
    pub fn prints(&self) -> Vec<Printed<T>> {
        self.inner().objects.values().map(|entry| (Arc::clone(&entry.object), entry.print.clone())).collect()
    }

    /// Puts a whole list in place of what was there; answers whether something is different. What was learned since the
    /// list was made stays.
    pub fn replace(&self, list: Prepared<T>, version: u64) -> bool {
        let mut inner = self.inner();
        let mut objects = list.0;
        for (key, known) in inner.objects.iter().filter(|(_, known)| known.version > version) {
            if objects.get(key).is_none_or(|listed| listed.version < known.version) {
                objects.insert(key.clone(), known.clone());
            }
        }
        let mut pairs = inner.objects.iter().zip(&objects);
        let is_same = pairs.all(|((name, one), (other_name, other))| name == other_name && one.version == other.version);
        let is_different = inner.objects.len() != objects.len() || !is_same;
        inner.objects = objects;
        inner.told = inner.told.max(version);
        is_different
    }

    /// The watch has told everything up to here.
    pub fn told(&self, version: u64) {
        let mut inner = self.inner();
        inner.told = inner.told.max(version);
    }
}

/// A list on its way into the store, page by page.
pub struct Prepared<T>(Objects<T>);

impl<T> Default for Prepared<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T> Prepared<T> {
    pub fn add<K: Kept<As = T>>(&mut self, object: K) {
        let (key, version) = place(&object);
        if let Some(entry) = entry(object, version) {
            self.0.insert(key, entry);
        }
    }
}

impl<T> Store<T> {
    /// The watch tells of an object; answers whether that is news.
    pub fn tell<K: Kept<As = T>>(&self, object: K) -> bool {
        let (key, version) = place(&object);
        let Some(entry) = entry(object, version) else { return self.remove(&key, version) };
        let mut inner = self.inner();
        inner.told = inner.told.max(version);
        if inner.objects.get(&key).is_some_and(|known| known.version >= version && version > 0) {
            return false;
        }
        inner.objects.insert(key, entry);
        true
    }

    /// The watch tells that an object is gone.
    pub fn tell_gone<K: Kept<As = T>>(&self, object: &K) -> bool {
        let (key, version) = place(object);
        self.remove(&key, version)
    }

    fn remove(&self, key: &Key, version: u64) -> bool {
        let mut inner = self.inner();
        inner.told = inner.told.max(version);
        // Another of the same name, made since, was learned already.
        if inner.objects.get(key).is_some_and(|known| known.version > version && version > 0) {
            return false;
        }
        inner.objects.remove(key).is_some()
    }

    /// An answer to a change of our own; answers whether that is news.
    pub fn learn<K: Kept<As = T>>(&self, object: K) -> bool {
        let (key, version) = place(&object);
        let Some(entry) = entry(object, version) else { return false };
        let mut inner = self.inner();
        let is_old = version <= inner.told || inner.objects.get(&key).is_some_and(|known| known.version >= version);
        if is_old {
            return false;
        }
        inner.objects.insert(key, entry);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::Service;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

    fn service(name: &str, version: u64) -> Service {
        let metadata = ObjectMeta { name: Some(name.into()), resource_version: Some(version.to_string()), ..ObjectMeta::default() };
        Service { metadata, ..Service::default() }
    }

    fn version(store: &Store<Service>, name: &str) -> Option<String> {
        store.find(None, name).and_then(|s| s.metadata.resource_version.clone())
    }

    fn listed(store: &Store<Service>, objects: &[(&str, u64)], at: u64) -> bool {
        let mut list = Prepared::default();
        for (name, version) in objects {
            list.add(service(name, *version));
        }
        store.replace(list, at)
    }

    #[test]
    fn a_list_replaces_what_was_there_and_says_whether_that_is_news() {
        let store = Store::default();
        assert!(listed(&store, &[("a", 1), ("b", 2)], 5));
        assert!(!listed(&store, &[("a", 1), ("b", 2)], 6), "the same again is no news");
        assert!(listed(&store, &[("b", 2)], 7));
        assert_eq!((version(&store, "a"), version(&store, "b")), (None, Some("2".into())));
    }

    #[test]
    fn what_was_learned_is_seen_at_once_and_survives_an_older_list() {
        let store = Store::default();
        listed(&store, &[], 5);
        assert!(store.learn(service("a", 9)));
        assert!(!store.learn(service("a", 8)), "an older answer that comes late");
        listed(&store, &[], 6);
        assert_eq!(version(&store, "a"), Some("9".into()));
        listed(&store, &[], 10);
        assert_eq!(version(&store, "a"), None, "a newer list without it knows better");
    }

    #[test]
    fn an_answer_cannot_bring_back_what_the_watch_saw_go() {
        let store = Store::default();
        listed(&store, &[("a", 1)], 5);
        assert!(store.tell_gone(&service("a", 8)));
        assert!(!store.learn(service("a", 7)));
        assert_eq!(version(&store, "a"), None);
        assert!(store.learn(service("a", 9)), "one that was made since is another one");
        assert!(!store.tell_gone(&service("a", 8)), "and is not removed by the end of the first");
    }

    #[test]
    fn the_watch_does_not_go_back_behind_what_was_learned() {
        let store = Store::default();
        store.learn(service("a", 9));
        assert!(!store.tell(service("a", 8)));
        assert!(store.tell(service("a", 10)));
        assert_eq!(version(&store, "a"), Some("10".into()));
        store.told(20);
        assert!(!store.learn(service("b", 15)), "the watch has passed that");
    }
}
