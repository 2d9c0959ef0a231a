#!/bin/sh
# Runs the unit tests under one interpreter, in an environment of its own (.venv-3.12).
set -eu
python=$1
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
folder=.venv-$version
if [ ! -e "$folder/.made" ] || [ setup.cfg -nt "$folder/.made" ] || [ "$(cat "$folder/.made")" != "$(pwd)" ]; then
    tools/venv.sh "$folder" "$python" test
fi
echo "unit tests under Python $version"
exec "$folder/bin/python" -m pytest -q tests/unit
