#!/bin/sh
# Make a virtual environment with the locked dependencies and tocsin itself. Usage: setup.sh DIRECTORY
set -eu
venv=$1

apt_install() {
    if ! command -v apt-get >/dev/null 2>&1; then
        echo "error: $1 is missing and there is no apt-get to install it with; install it and run again" >&2
        exit 1
    fi
    as_root=""
    [ "$(id -u)" = 0 ] || as_root=sudo
    $as_root apt-get update -qq
    DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq "$@" >/dev/null
}

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
