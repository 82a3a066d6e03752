#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# usage: [PYTHON=…] make_venv.sh VENV STAMP
# Makes or updates the virtual environment VENV from pyproject.toml; touches STAMP when it is complete.
# What is missing on the machine is said in one line, with the Debian package that brings it.
set -eu
venv=$1
stamp=$2
range='3.10, 3.11 or 3.12'

die() {
    echo "make: $*" >&2
    exit 1
}

# The version as "3.11" if $1 runs and is one we take, else nothing.
version_of() {
    "$1" -c 'import sys; v = sys.version_info; (3, 10) <= v[:2] < (3, 13) and print("%d.%d" % v[:2])' \
        2>/dev/null || true
}

has_venv() {
    "$1" -c 'import ensurepip, venv' 2>/dev/null
}

if [ -n "${PYTHON:-}" ]; then
    version=$(version_of "$PYTHON")
    [ -n "$version" ] || die "PYTHON must be Python $range, not '$PYTHON'"
else
    # One that can make environments wins over a preferred version that can not.
    first=''
    for candidate in python3.11 python3.12 python3.10 python3; do
        [ -n "$(version_of $candidate)" ] || continue
        [ -n "$first" ] || first=$candidate
        if has_venv $candidate; then
            PYTHON=$candidate
            break
        fi
    done
    PYTHON=${PYTHON:-$first}
    [ -n "$PYTHON" ] ||
        die "Python $range is missing: apt install python3 python3-venv, or name one with PYTHON=…"
    version=$(version_of "$PYTHON")
fi
has_venv "$PYTHON" || die "Python $version has no venv module: apt install python$version-venv"
command -v "${CXX:-c++}" >/dev/null || command -v g++ >/dev/null ||
    die "a C++ compiler is missing: apt install g++"
command -v perl >/dev/null || die "perl is missing (Verilator needs it): apt install perl"

fresh=''
if [ "$(version_of "$venv/bin/python")" != "$version" ]; then
    fresh=--clear
elif [ -f "$stamp" ] && [ -z "$(find pyproject.toml "$0" -newer "$stamp")" ]; then
    exit 0
fi
echo "Installing into $venv with Python $version; the first time this takes some minutes." >&2
[ -z "$fresh" ] || "$PYTHON" -m venv --clear "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check -e '.[board,flow,dev]'
touch "$stamp"
