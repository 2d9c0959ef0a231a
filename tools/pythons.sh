#!/bin/sh
# Prints the Python interpreters that skitaid can run under, one path a line.
#
#   tools/pythons.sh --first [CANDIDATE]   the one to make .venv from; exit 1 and the reason when there is none
#   tools/pythons.sh --system [CANDIDATE]  the one to install from: the system's own, if it fits, before any other
#   tools/pythons.sh --all                 one of each minor version found, for `make check`
#
# An interpreter counts only when it runs: a pyenv shim of a version that is switched off exists and fails.
set -u
minor_versions="11 12 13 14"

version_of() {
    "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2]); sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

has_venv() {
    "$1" -c 'import ensurepip, venv' 2>/dev/null
}

candidates() {
    for minor in $minor_versions; do
        installed "3.$minor"
    done
}

installed() {
    echo "python$1"
    for python in "$HOME"/.pyenv/versions/"$1".*/bin/python; do
        [ -x "$python" ] && echo "$python"
    done
}

named() {
    case "$1" in
    python3.[0-9]*) installed "${1#python}" ;;
    *) echo "$1" ;;
    esac
}

path_of() {
    # sys.executable: a shim's real interpreter, so that a venv made from it does not depend on the shim
    "$1" -c 'import sys; print(sys.executable)'
}

all() {
    seen=" "
    for python in $(candidates); do
        version=$(version_of "$python") || continue
        case "$seen" in *" $version "*) continue ;; esac
        has_venv "$python" || continue
        seen="$seen$version "
        path_of "$python"
    done
}

first() {
    lacks_venv=
    for python in "$@"; do
        version_of "$python" >/dev/null || continue
        if has_venv "$python"; then
            path_of "$python"
            return 0
        fi
        lacks_venv=${lacks_venv:-$python}
    done
    complain "$1"
}

complain() {
    if [ -n "$lacks_venv" ]; then
        version=$(version_of "$lacks_venv")
        echo "skitaid: $lacks_venv ($version) cannot make virtual environments: its venv or ensurepip module is" \
            "missing. On Debian and Ubuntu: apt-get install python$version-venv" >&2
    else
        found=$("$1" --version 2>&1) || found="no $1 that runs"
        echo "skitaid: Python 3.11 or newer is needed, found: $found. On Debian and Ubuntu: apt-get install python3" \
            "python3-venv; or name one: make venv PYTHON=/path/to/python3.12" >&2
    fi
    return 1
}

case "${1:-}${2:+ CANDIDATE}" in
--all) all ;;
# shellcheck disable=SC2046 # a list of words, here and below
"--first CANDIDATE" | "--system CANDIDATE") first $(named "$2") ;;
# shellcheck disable=SC2046
--first) first python3 $(candidates) ;;
# shellcheck disable=SC2046
--system) first /usr/bin/python3 python3 $(candidates) ;;
*)
    echo "usage: $0 --first [CANDIDATE] | --system [CANDIDATE] | --all" >&2
    exit 2
    ;;
esac
