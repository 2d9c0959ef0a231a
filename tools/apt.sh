#!/bin/sh
# Installs the Debian packages that the tests use and this machine lacks (tests/requirements-apt.txt), when this is
# root on a machine with apt. Elsewhere it names them and goes on: a test that cannot run without one says so.
set -u
list=tests/requirements-apt.txt

missing() {
    while read -r package probe; do
        case "$package" in '' | '#'*) continue ;; esac
        sh -c "$probe" >/dev/null 2>&1 </dev/null || echo "$package"
    done <"$list"
}

packages=$(missing | tr '\n' ' ')
[ -n "$packages" ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "skitaid: not installed, and some tests want it: $packages(as root: apt-get install $packages)" >&2
    exit 0
fi
echo "skitaid: installing for the tests: $packages"
export DEBIAN_FRONTEND=noninteractive
{
    apt-get update -qq
    # shellcheck disable=SC2086 # a list of words
    apt-get install -y -qq --no-install-recommends $packages
} >/dev/null </dev/null || echo "skitaid: apt-get could not install $packages; the tests that want it will say so" >&2
