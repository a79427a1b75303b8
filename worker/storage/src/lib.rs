//! Object storage: the client, its check, and the S3 server of the lab.
