//! Generates the code of the gRPC adapter from `proto/`: in Rust alone, so without protoc and without a network.

fn main() {
    // Without a line of this kind, a change of any file of the package, a page or a bench, builds all of it anew.
    println!("cargo:rerun-if-changed=build.rs");
    #[cfg(feature = "grpc")]
    grpc();
}

#[cfg(feature = "grpc")]
fn grpc() {
    println!("cargo:rerun-if-changed=proto");
    let files = protox::compile(["proto/store.proto"], ["proto"]).expect("proto/store.proto is well formed");
    // The sockets are ours, so none of tonic's own transport.
    tonic_prost_build::configure().build_transport(false).compile_fds(files).expect("its code can be written");
}
