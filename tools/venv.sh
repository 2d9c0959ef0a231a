#!/bin/sh
# Makes or completes a virtual environment with this checkout installed in it, editable.
#
#   tools/venv.sh FOLDER PYTHON EXTRAS
#
# PYTHON may be empty: the one that FOLDER has, or the machine's first that fits. The last thing written is
# FOLDER/.made, which holds the checkout's path: make compares it, because an environment that was moved or half made
# is of no use.
set -eu
folder=$1 python=$2 extras=$3
checkout=$(pwd)

works() {
    "$folder/bin/python" -m pip --version >/dev/null 2>&1 && [ "$(cat "$folder/.checkout" 2>/dev/null)" = "$checkout" ]
}

is_of() {
    [ -z "$1" ] || [ "$(installation_of "$folder/bin/python")" = "$(installation_of "$1")" ]
}

installation_of() {
    "$1" -c 'import sys; print(sys.base_prefix, *sys.version_info[:2])'
}

make_folder() {
    echo "skitaid: making $folder with $python"
    "$python" -m venv --clear "$folder"
    echo "$checkout" >"$folder/.checkout"
}

install() {
    "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --editable ".[$extras]" && return
    echo "skitaid: pip could not install what skitaid needs into $folder (its reason is above). Is this machine" \
        "online? pip's settings (index, proxy) are used as they stand: \`pip config list\`. Then run make again." >&2
    exit 1
}

rm -f "$folder/.made"
[ -z "$python" ] || python=$(tools/pythons.sh --first "$python")
if ! works || ! is_of "$python"; then
    python=${python:-$(tools/pythons.sh --first)}
    make_folder
fi
install
echo "$checkout" >"$folder/.made"
