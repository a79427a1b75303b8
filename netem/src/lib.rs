//! The emulated WAN: link model, lab of network namespaces, user-space backend, self-test.
