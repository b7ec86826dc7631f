//! What the suites share: namespaces, packets, the daemon under test.
