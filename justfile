# Verifies what CI verifies and writes nothing but target/.
verify:
    cargo fmt --all -- --check
    cargo clippy --workspace --all-targets --all-features -- -D warnings
    cargo check --bins
    RUSTDOCFLAGS="-D warnings" cargo doc --no-deps
    cargo test --workspace --all-features

# Writes what can be written by a tool.
fix:
    cargo fmt --all
    cargo clippy --all-targets --fix --allow-dirty

# Known holes, licences, doubles and sources of every crate (CONTRIBUTING.md).
deny:
    cargo deny check

# The benches that need no other server (docs/performance.md).
bench:
    cargo bench

# The store beside PostgreSQL and Restate, the rest of what is measured over HTTP, and the page that shows it all.
bench-peers:
    benches/peers/all.sh
    for what in appends asks memory many flows; do cargo bench -- $what --results benches/results; done
    cargo bench -- scaling --results benches/results
    cargo run --release -- bench report --page docs/performance.md

# The crash tests for an hour: kills, power cuts, full disks, damage, every operation that fails (docs/semantics.md).
crash:
    STEADFAST_FAULTS_ROUNDS=200 STEADFAST_FAULTS_CUTS=60 STEADFAST_FAULTS_COPIES=200 STEADFAST_FAULTS_EVERY=1 \
        cargo test --test faults -- --nocapture
