#!/bin/sh
# Install Chromium for the tests that look at pages, unless it is there.
set -eu
. "$(dirname "$0")/apt.sh"
for name in chromium chromium-browser google-chrome chrome; do
    command -v "$name" >/dev/null 2>&1 && exit 0
done
apt_install chromium
