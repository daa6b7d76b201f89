//! Compiles the .proto files with protox, so that no protoc is needed.

use std::env;
use std::error::Error;
use std::fs;
use std::path::PathBuf;

use prost::Message;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let descriptors = protox::compile(FILES, ["proto"])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("descriptors.bin"), descriptors.encode_to_vec())?;

    let grpc = env::var_os("CARGO_FEATURE_GRPC").is_some();
    tonic_prost_build::configure()
        .build_client(grpc)
        .build_server(grpc)
        .bytes(".")
        .skip_debug([
            ".sluice.v1.CertificateMaterial",
            ".sluice.v1.Credential",
            ".sluice.v1.Resource",
            ".sluice.v1.UpstreamTls",
        ])
        .compile_fds(descriptors)?;
    Ok(())
}

const FILES: [&str; 4] = [
    "sluice/v1/resource.proto",
    "sluice/v1/policy.proto",
    "sluice/v1/stream.proto",
    "sluice/v1/introspection.proto",
];
