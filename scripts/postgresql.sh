#!/bin/sh
# Install PostgreSQL for the tests that run on it, unless it is there.
set -eu
. "$(dirname "$0")/apt.sh"
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 && exit 0
command -v initdb >/dev/null 2>&1 || apt_install postgresql
