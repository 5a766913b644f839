#!/bin/sh
# Install Chromium, and a font for pages in Chinese, for the tests that look at pages, unless they are there.
set -eu
. "$(dirname "$0")/apt.sh"
fc-list :lang=zh 2>/dev/null | grep -q . || apt_install fontconfig fonts-wqy-microhei
for name in chromium chromium-browser google-chrome chrome; do
    command -v "$name" >/dev/null 2>&1 && exit 0
done
apt_install chromium
