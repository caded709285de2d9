#!/usr/bin/env bash
# Redeploys steadfast without a refused connection, and checks the result.
#
# The sockets belong to somebody who stays: systemd (deploy/systemd: steadfast.socket, steadfast-admin.socket) or
# `steadfast hold`. The running process lowers its readiness, answers what it has, writes what is left and ends; the
# next one starts on the same sockets and finds there whoever has connected meanwhile. When the next one does not get
# ready, the program that ran before is put back.
set -euo pipefail

usage() {
    cat <<'USAGE'
usage: redeploy.sh [--unit NAME | --holder PID_FILE] [option...]

  --unit NAME         the systemd service to restart (steadfast)
  --holder PID_FILE   instead: the file that `steadfast hold --pid-file` has written
  --new FILE          the program to install first; without it, what is installed is started again
  --program FILE      where the program is installed (/usr/local/bin/steadfast)
  --config FILE       the configuration, which the next program has to take (/etc/steadfast/supervision.toml)
  --admin ADDRESS     the operators' address (127.0.0.1:9900)
  --token-file FILE   a file as [admin] token_file has it; its first token counts
  --within SECONDS    the time in which the next process has to be ready (120)

Exit codes: 0 it serves; 1 it does not, and the program that ran before was put back; 2 nothing was done.
USAGE
}

unit=steadfast holder='' new='' program=/usr/local/bin/steadfast config=/etc/steadfast/supervision.toml
admin=127.0.0.1:9900 token_file='' within=120
while [[ $# -gt 0 ]]; do
    case $1 in
        --help | -h) usage; exit 0 ;;
        --unit | --holder | --new | --program | --config | --admin | --token-file | --within)
            [[ $# -ge 2 ]] || { usage >&2; exit 2; }
            name=${1#--}
            printf -v "${name//-/_}" %s "$2"
            shift 2
            ;;
        *) usage >&2; exit 2 ;;
    esac
done

say() { printf 'redeploy: %s\n' "$*"; }
refuse() { printf 'redeploy: %s; nothing was done\n' "$*" >&2; exit 2; }

# Without any tool: what runs a service need not have curl.
talk() { # host port method path: the body; fails without an answer below 400
    local line status
    exec 3<>"/dev/tcp/$1/$2" || return 1
    printf '%s %s HTTP/1.1\r\nHost: %s:%s\r\nConnection: close\r\n' "$3" "$4" "$1" "$2" >&3
    [[ -z ${ADMIN_TOKEN:-} ]] || printf 'Authorization: Bearer %s\r\n' "$ADMIN_TOKEN" >&3
    printf '\r\n' >&3
    read -r _ status _ <&3 || return 1
    while read -r line && [[ $line != $'\r' ]]; do :; done <&3
    cat <&3
    [[ $status == [23]* ]]
}
export -f talk
ask() { # method path
    local token='' line host=${admin%:*}
    if [[ -n $token_file ]]; then
        # a token, or a name and a token
        while read -r line; do [[ -z $line || $line == \#* ]] || { token=${line##* } && break; }; done <"$token_file"
    fi
    host=${host#[} host=${host%]}
    # by the environment, so that the token is not among the arguments that everybody sees
    ADMIN_TOKEN=$token timeout 5 bash -c 'talk "$@"' talk "$host" "${admin##*:}" "$1" "$2" 2>/dev/null
}
field() { sed -n "s/.*\"$1\":\"\{0,1\}\([^,\"}]*\).*/\1/p"; }
pid_now() { ask GET /admin/process | field pid || true; }

# --- whatever can be refused is refused before anything stops
candidate=${new:-$program}
version=$("$candidate" --version 2>/dev/null) || refuse "$candidate is no program that runs here"
version=${version##* }
if [[ -e $config ]]; then
    "$candidate" config check "$config" >/dev/null || refuse "$candidate does not take $config"
fi
if [[ -n $holder ]]; then
    [[ -r $holder ]] && kill -0 "$(<"$holder")" 2>/dev/null || refuse "no holder runs with the id in $holder"
else
    systemctl cat "$unit" >/dev/null 2>&1 || refuse "systemd knows no unit $unit"
fi

swap() { # the running process gives way to the installed program
    if [[ -n $holder ]]; then kill -USR2 "$(<"$holder")"; else systemctl restart "$unit"; fi
}

serves() { # version: within the limit, another process than before is ready, and of this version
    local until=$((SECONDS + within)) pid
    while ((SECONDS < until)); do
        pid=$(pid_now)
        if [[ -n $pid && $pid != "$before" ]] && ask GET /readyz >/dev/null; then
            [[ $(ask GET /admin/process | field version) == "$1" ]] && return 0
        fi
        sleep 0.1
    done
    return 1
}

before=$(pid_now)
say "process ${before:-none} gives way to $candidate, version $version"
if [[ -n $new ]]; then
    # a name that changes its file at once: whoever starts the program meanwhile gets the one or the other as a whole
    [[ ! -e $program ]] || cp --preserve=mode "$program" "$program.previous"
    install -m 0755 "$new" "$program.next"
    mv "$program.next" "$program"
fi

if swap && serves "$version"; then
    say "process $(pid_now), version $version, is ready"
    if ask GET '/admin/quiesce?within=1s' >/dev/null; then
        say "every policy and view is at the end of the journal"
    else
        say "policies and views are at work: GET http://$admin/admin/consumers tells how far they are"
    fi
    exit 0
fi

say "it is not ready within $within s" >&2
if [[ -n $new && -e $program.previous ]]; then
    mv "$program.previous" "$program"
    version=$("$program" --version) && version=${version##* }
    before=$(pid_now)
    if swap && serves "$version"; then
        say "version $version was put back, and serves" >&2
    else
        say "version $version was put back, and does not serve either" >&2
    fi
fi
exit 1
