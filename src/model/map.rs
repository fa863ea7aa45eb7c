//! Maps by ids and names: those that this daemon gives out, its configuration has, or a signed token says. They are
//! looked up many times for every message, so they are hashed quickly; what strangers choose freely is no key here.

use std::collections::{HashMap, HashSet};

/// How their keys are hashed: seeded anew in every process.
pub type KeyHasher = foldhash::fast::RandomState;
/// A map by such keys.
pub type Map<K, V> = HashMap<K, V, KeyHasher>;
/// A set of such keys.
pub type Set<K> = HashSet<K, KeyHasher>;
