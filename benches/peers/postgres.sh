#!/usr/bin/env bash
# Runs a command while a throw-away PostgreSQL serves: postgres.sh COMMAND...
#
# Needs Debian's package:  apt-get install postgresql-15   (server and pgbench)
#
# The cluster is made below target/ (a real disk), with initdb's own settings but for the number of connections:
# fsync and synchronous_commit are on, and looked at. It listens on a socket and on the loopback. The command is told
# where by PGHOST, PGPORT, PGUSER, PGDATABASE, STEADFAST_PEER_PGHOST_TCP and STEADFAST_PEER_PGBENCH. What it measures
# there, 64 clients for ten seconds, once as it is and once with --host=127.0.0.1:
#
#   pgbench --no-vacuum --protocol=prepared --client=64 --jobs=2 --time=10 --file=rows.sql
#   rows.sql:  \set id random(1, 10000)
#              UPDATE product SET quantity = quantity + 1 WHERE id = :id RETURNING quantity;
#
# Everything is removed when the command ends, however it ends; what a killed run has left is removed by the next.
set -euo pipefail
[ $# -gt 0 ] || { sed -n '2,/^set/{/^set/!p}' "$0" >&2; exit 2; }
root=$(cd "$(dirname "$0")/../.." && pwd)
peers="$root/target/peers"
mkdir -p "$peers"

bin=${PGBIN:-/usr/lib/postgresql/15/bin}
[ -x "$bin/initdb" ] && [ -x "$bin/pgbench" ] || { echo "postgres.sh: no $bin/initdb and pgbench: apt-get install postgresql-15" >&2; exit 2; }

# PostgreSQL does not run as root; the package has made a user for it.
as_owner() {
    if [ "$(id -u)" = 0 ]; then setpriv --reuid=postgres --regid=postgres --init-groups "$@"; else "$@"; fi
}
# Ends a cluster and removes its two directories; also one that is half made, or gone.
remove() {
    local dir=$1
    [ ! -f "$dir/data/postmaster.pid" ] || as_owner "$bin/pg_ctl" -D "$dir/data" -m immediate -w stop >/dev/null 2>&1 || true
    [ ! -L "$dir/socket" ] || rm -rf "$(readlink "$dir/socket")"
    rm -rf "$dir"
}
for old in "$peers"/postgres.*; do
    [ -d "$old" ] || continue
    kill -0 "$(cat "$old/owner" 2>/dev/null || echo none)" 2>/dev/null || remove "$old"
done

dir=$(mktemp -d "$peers/postgres.XXXXXX")
trap 'remove "$dir"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
echo $$ > "$dir/owner"
# The path of a socket may have 107 bytes.
socket=$(mktemp -d /tmp/steadfast-postgres.XXXXXX)
ln -s "$socket" "$dir/socket"
mkdir "$dir/data"
[ "$(id -u)" != 0 ] || chown postgres: "$dir" "$dir/data" "$socket"

export PGHOST="$socket" PGPORT=15432 PGUSER=postgres PGDATABASE=postgres
(
    # A directory that its owner may be in.
    cd "$socket"
    as_owner "$bin/initdb" --pgdata="$dir/data" --auth=trust --username=postgres --encoding=UTF8 --no-instructions >/dev/null
    as_owner "$bin/pg_ctl" -D "$dir/data" -l "$dir/data/log" -w start \
        -o "-c listen_addresses=127.0.0.1 -c port=$PGPORT -c unix_socket_directories='$socket' -c max_connections=300" >/dev/null ||
        { cat "$dir/data/log" >&2; exit 1; }
)
sql() { "$bin/psql" --quiet --no-align --tuples-only --set=ON_ERROR_STOP=1 --command="$1"; }
for setting in fsync synchronous_commit full_page_writes; do
    [ "$(sql "SHOW $setting")" = on ] || { echo "postgres.sh: $setting is not on" >&2; exit 1; }
done
sql "CREATE TABLE product (id int PRIMARY KEY, quantity bigint NOT NULL, price int NOT NULL, status text NOT NULL)"
sql "INSERT INTO product SELECT id, 1000000000, 1000, 'register' FROM generate_series(1, 10000) id"
sql "VACUUM ANALYZE product"

export STEADFAST_PEER_PGBENCH="$bin/pgbench" STEADFAST_PEER_PGHOST_TCP=127.0.0.1
STEADFAST_PEER_POSTGRES_VERSION=$(sql "SHOW server_version")
export STEADFAST_PEER_POSTGRES_VERSION
"$@"
