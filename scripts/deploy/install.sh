#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs convloom from this folder; nothing is fetched. On a PYNQ image: sudo sh install.sh
set -eu
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-}
if [ -z "$python" ]; then
    # PYNQ images keep their packages in an environment of their own.
    python=/usr/local/share/pynq-venv/bin/python3
    [ -x "$python" ] || python=python3
fi
"$python" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] < (3, 13))' || {
    echo "install: Python must be 3.10 to 3.12, not $("$python" --version)" >&2
    exit 1
}
"$python" -c 'import numpy, pynq' || {
    echo "install: numpy and pynq must be there, as on a PYNQ image; see README.md" >&2
    exit 1
}
"$python" -m pip install --no-index --no-deps --force-reinstall "$here"/wheels/*.whl
echo "installed for $python; now: $python $here/validate.py"
