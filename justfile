# Verifies what CI verifies and writes nothing but target/.
verify:
    cargo fmt --all -- --check
    cargo clippy --all-targets -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --no-deps
    cargo test

# Writes what can be written by a tool.
fix:
    cargo fmt --all
    cargo clippy --all-targets --fix --allow-dirty

# The benches and their peers (docs/performance.md).
bench:
    cargo run --release --manifest-path benches/Cargo.toml
