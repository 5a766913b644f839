#!/bin/sh
# Make a virtual environment with the locked dependencies and tocsin itself. Usage: setup.sh DIRECTORY
set -eu
venv=$1

. "$(dirname "$0")/apt.sh"

find_python() {
    for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return 0
        fi
    done
    return 1
}

python=$(find_python) || { apt_install python3 python3-venv; python=$(find_python) || {
    echo "error: tocsin needs Python 3.11 or newer" >&2
    exit 1
}; }
"$python" -c 'import ensurepip, venv' 2>/dev/null || apt_install python3-venv

"$python" -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
