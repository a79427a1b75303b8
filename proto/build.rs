//! Generates `farquorum.v1`, with the protoc that a crate ships: no system package is needed.

use std::error::Error;
use std::path::PathBuf;

const FILES: [&str; 6] = ["task", "worker", "job", "kv", "cluster", "raft"];

fn main() -> Result<(), Box<dyn Error>> {
    let files = FILES.map(|name| format!("farquorum/v1/{name}.proto"));
    for file in &files {
        println!("cargo::rerun-if-changed={file}");
    }
    let mut prost = tonic_prost_build::Config::new();
    prost.protoc_executable(protoc_bin_vendored::protoc_bin_path()?);
    prost.bytes(["."]);
    let descriptors = PathBuf::from(std::env::var("OUT_DIR")?).join("farquorum.v1.bin");
    tonic_prost_build::configure().file_descriptor_set_path(descriptors).compile_with_config(
        prost,
        &files,
        &[".".to_owned()],
    )?;
    Ok(())
}
