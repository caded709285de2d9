#!/usr/bin/env bash
# Runs a command while a throw-away Restate serves: restate.sh [--one-partition] COMMAND...
#
# Needs npm (with node) and cargo. The server is the npm package @restatedev/restate-server of the version below, put
# into target/peers; its service, benches/peers/restate, is built with Restate's SDK for Rust: a virtual object Counter
# with `add`, and a virtual object Asker whose `ask` asks a counter and adds up what it answers.
#
# The server has the settings that it comes with (fsync on), or one partition instead of as many as it takes by itself;
# only addresses, names and the directory of its data (below target/, a real disk) are given. The command is told the
# address and the processes by STEADFAST_PEER_RESTATE or STEADFAST_PEER_RESTATE_ONE. What it sends:
#
#   POST /Counter/{1 to 10000}/add   1          POST /Asker/{1 to 10000}/ask   1
#
# Both kinds may run at a time. Everything but the downloads and the build is removed when the command ends, however it
# ends; what a killed run has left is removed by the next.
set -euo pipefail
version=1.7.12
kind=as-it-comes port=18080 variable=STEADFAST_PEER_RESTATE
if [ "${1:-}" = --one-partition ]; then
    kind=one-partition port=18180 variable=STEADFAST_PEER_RESTATE_ONE
    export RESTATE_DEFAULT_NUM_PARTITIONS=1
    shift
else
    unset RESTATE_DEFAULT_NUM_PARTITIONS
fi
[ $# -gt 0 ] || { sed -n '2,/^set/{/^set/!p}' "$0" >&2; exit 2; }
root=$(cd "$(dirname "$0")/../.." && pwd)
peers="$root/target/peers"
mkdir -p "$peers"
for program in npm node cargo; do
    command -v "$program" >/dev/null || { echo "restate.sh: there is no $program" >&2; exit 2; }
done

# Ends what a run has started, and removes its data.
remove() {
    local dir=$1 file
    for file in "$dir"/*.pid; do
        [ -f "$file" ] || continue
        # Only what was started from here: a number may be another process by now.
        if tr '\0' ' ' < "/proc/$(cat "$file")/cmdline" 2>/dev/null | grep -q "$peers"; then
            kill -9 "$(cat "$file")" 2>/dev/null || true
        fi
    done
    rm -rf "$dir"
}
for old in "$peers/$kind".*; do
    [ -d "$old" ] || continue
    kill -0 "$(cat "$old/owner" 2>/dev/null || echo none)" 2>/dev/null || remove "$old"
done

server=$(find "$peers/restate-$version" -path '*/bin/restate-server' -type f -size +1M 2>/dev/null | head -n 1 || true)
if [ -z "$server" ]; then
    npm install --silent --no-audit --no-fund --prefix "$peers/restate-$version" "@restatedev/restate-server@$version" >&2
    server=$(find "$peers/restate-$version" -path '*/bin/restate-server' -type f -size +1M | head -n 1)
fi
cargo build --quiet --release --locked --manifest-path "$root/benches/peers/restate/Cargo.toml" --target-dir "$peers/service"

dir=$(mktemp -d "$peers/$kind.XXXXXX")
trap 'remove "$dir"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
echo $$ > "$dir/owner"
"$peers/service/release/restate-counter" "127.0.0.1:$((port + 1))" > "$dir/service.log" 2>&1 &
service=$!
disown
echo "$service" > "$dir/service.pid"
(
    cd "$dir"
    export RESTATE_BASE_DIR="$dir/data" RESTATE_CLUSTER_NAME="bench-$kind" RESTATE_NODE_NAME=bench DO_NOT_TRACK=1
    export RESTATE_INGRESS__BIND_ADDRESS="127.0.0.1:$port" RESTATE_ADMIN__BIND_ADDRESS="127.0.0.1:$((port + 2))"
    export RESTATE_BIND_ADDRESS="127.0.0.1:$((port + 3))" RESTATE_ADVERTISED_ADDRESS="http://127.0.0.1:$((port + 3))"
    exec "$server" > "$dir/server.log" 2>&1
) &
running=$!
disown
echo "$running" > "$dir/server.pid"

# node is there, curl may not be. Tells the body of an answer that is a success.
ask() {
    node -e '
        const [method, url, body] = process.argv.slice(1);
        fetch(url, { method, body, headers: { "content-type": "application/json" } })
            .then(async (answer) => { console.log(await answer.text()); process.exit(answer.ok ? 0 : 1); })
            .catch(() => process.exit(1));' "$@"
}
# Tries until it is done, for a minute.
eventually() {
    local left=120
    until "$@" > "$dir/asked" 2>&1; do
        left=$((left - 1))
        if [ $left = 0 ] || ! kill -0 "$running" 2>/dev/null || ! kill -0 "$service" 2>/dev/null; then
            echo "restate.sh: not done: $*" >&2
            tail -n 20 "$dir/asked" "$dir/server.log" "$dir/service.log" >&2
            exit 1
        fi
        sleep 0.5
    done
}
eventually ask GET "http://127.0.0.1:$((port + 2))/health"
eventually ask POST "http://127.0.0.1:$((port + 2))/deployments" "{\"uri\":\"http://127.0.0.1:$((port + 1))\"}"
eventually ask POST "http://127.0.0.1:$port/Counter/0/add" 1
[ "$(cat "$dir/asked")" = 1 ] || { echo "restate.sh: a new counter and 1 are $(cat "$dir/asked")" >&2; exit 1; }
eventually ask POST "http://127.0.0.1:$port/Asker/0/ask" 1

export "$variable=127.0.0.1:$port $running $service"
export STEADFAST_PEER_RESTATE_VERSION=$version
STEADFAST_PEER_RESTATE_SDK_VERSION=$(sed -n '/^name = "restate-sdk"$/{n;s/^version = "\(.*\)"$/\1/p}' "$root/benches/peers/restate/Cargo.lock")
export STEADFAST_PEER_RESTATE_SDK_VERSION
"$@"
