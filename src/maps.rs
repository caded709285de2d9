//! Hash maps for what is looked up with every command: their hash is quick, and seeded anew in each process, so that
//! nobody outside can choose keys that collide. A leaf: it knows nothing of ours.

/// As the one of the standard library, with a hash that takes less time.
pub(crate) type Map<K, V> = std::collections::HashMap<K, V, foldhash::fast::RandomState>;

/// The same for sets.
pub(crate) type Set<K> = std::collections::HashSet<K, foldhash::fast::RandomState>;
