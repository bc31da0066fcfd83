//! From descriptions to objects of the cluster: pure functions, typed objects, one golden file each.
