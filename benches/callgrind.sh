#!/usr/bin/env bash
# Instructions of one request, and where they go: callgrind.sh [get|look|add]...
#
# Runs each twice under callgrind, with 1 000 and with 2 000 requests one after the other, and divides what the second
# takes more: starting and stopping are the same in both. Instructions do not depend on what else the machine does. What
# runs by the clock (saved heads, the witness) is no part of a request and left out, and so is the kernel, which callgrind
# does not see. Prints markdown. Needs valgrind (Debian: apt-get install valgrind), and is skipped without.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v valgrind >/dev/null 2>&1; then
    echo "skipped: valgrind is not installed"
    exit 0
fi
cargo build --release --package steadfast-benches
program="${CARGO_TARGET_DIR:-target}/release/steadfast-benches"
counts=$(mktemp -d)
trap 'rm -rf "$counts"' EXIT

# Instructions of every function and all that it calls, one a line.
count() {
    valgrind --tool=callgrind --callgrind-out-file="$counts/out" "$program" profile "$1" --requests "$2" \
        >"$counts/log" 2>&1 || { cat "$counts/log" >&2; return 1; }
    callgrind_annotate --inclusive=yes --threshold=100 --show-percs=no "$counts/out" >"$counts/$1-$2"
}

for what in "${@:-get look add}"; do
    for one in $what; do
        count "$one" 1000
        count "$one" 2000
        awk -v what="$one" '
            # "1,234  file:function [object]": which function, and of which of the two runs.
            match($0, /^ *[0-9,]+ /) {
                number = substr($0, 1, RLENGTH); gsub(/[ ,]/, "", number)
                name = substr($0, RLENGTH + 1); sub(/^ *[^:]*:/, "", name); sub(/ \[[^\]]*\]$/, "", name)
                taken[name] += (FILENAME ~ /-2000$/ ? 1 : -1) * number
            }
            # What a request takes in the functions whose names end like this.
            function of(ending,    name, sum) {
                for (name in taken)
                    if (length(name) >= length(ending) && substr(name, length(name) - length(ending) + 1) == ending)
                        sum += taken[name]
                return sum / 1000
            }
            function row(stage, instructions) {
                printf "| %s | %.0f | %.0f %% |\n", stage, instructions, instructions / all * 100
            }
            END {
                runtime = of("tokio::runtime::runtime::Runtime::block_on")
                writer = of("segments::writer::Writer::run")
                teller = of("segments::writer::tell")
                all = runtime + writer + teller
                if (runtime <= 0) { print "nothing was counted: is the program stripped?" > "/dev/stderr"; exit 1 }
                turn = of("runtime::host::Host<E>>::turn")
                asked = of("IntoFuture>::into_future::{{closure}}") + of("Entities<E>::get::{{closure}}")
                run = of("Host<E>::spawn_run::{{closure}}")
                decide = of("AnyCommand<E>>::decide_any")
                evolve = of("runtime::outcome::evolve")
                append = of("UnitRuntime::hand_over")
                told = of("Answers::see_to_all::{{closure}}")
                printf "\n| `%s` | instructions | share |\n|---|---:|---:|\n", what
                row("ask: find the entity, its mailbox, wait", asked + run - turn)
                if (decide > 1) row("decide", decide)
                if (evolve > 1) row("evolve, encode event and reply", evolve)
                if (append > 10) row("hand over: encode the record, queue it", append)
                row("the rest of the turn", turn - decide - evolve - append)
                if (writer > 0) {
                    row("the writer of the journal", writer)
                    row("its teller", teller)
                }
                if (told > 0) row("tell: the feed, whoever waits", told)
                row("tokio and the loop that asks", runtime - asked - run - told)
                row("**all**", all)
            }' "$counts/$one-1000" "$counts/$one-2000"
    done
done
