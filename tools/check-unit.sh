#!/bin/sh
# Runs the unit tests under one interpreter: in .venv when that is of the same version, else in .venv-3.12 and so on.
set -eu
python=$1
version_of='import sys; print("%d.%d" % sys.version_info[:2])'
version=$("$python" -c "$version_of")
folder=.venv
if [ "$("$folder/bin/python" -c "$version_of" 2>/dev/null)" != "$version" ]; then
    folder=.venv-$version
    if [ ! -e "$folder/.made" ] || [ setup.cfg -nt "$folder/.made" ] || [ "$(cat "$folder/.made")" != "$(pwd)" ]; then
        tools/venv.sh "$folder" "$python" test
    fi
fi
echo "unit tests under Python $version"
exec "$folder/bin/python" -m pytest -q tests/unit
