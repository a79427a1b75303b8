//! Identity: certificate authorities, mutual TLS 1.3, roles; the only crate that knows rustls.
