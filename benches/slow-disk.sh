#!/usr/bin/env bash
# Runs a command on a disk that takes its time: slow-disk.sh MILLISECONDS COMMAND...
#
# Every fsync and fdatasync of the command and of all that it starts takes so much longer, whoever calls it:
#
#   benches/slow-disk.sh 2 cargo bench -- appends
#
# strace costs much of a processor, so what comes to the processors' limit is slower, too (docs/slow-disk.md).
# Needs strace (Debian: apt-get install strace) and the right to trace one's own processes.
set -euo pipefail
[ $# -gt 1 ] || { sed -n '2,/^set/{/^set/!p}' "$0" >&2; exit 2; }
microseconds=$(($1 * 1000))
shift
command -v strace >/dev/null 2>&1 || { echo "slow-disk.sh: no strace: apt-get install strace" >&2; exit 2; }
exec strace --follow-forks --seccomp-bpf --quiet=all --signal=none --output=/dev/null \
    --trace=fsync,fdatasync --inject=fsync,fdatasync:delay_enter="$microseconds" -- "$@"
