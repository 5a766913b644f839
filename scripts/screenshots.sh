#!/bin/sh
# Take the pictures of docs/screenshots anew, with 128 colours each. The argument is the folder that has pytest.
set -eu
cd "$(dirname "$0")/.."
. scripts/apt.sh
sh scripts/chromium.sh
command -v pngquant >/dev/null 2>&1 || apt_install pngquant
rm -f docs/screenshots/*.png
TOCSIN_SCREENSHOTS=docs/screenshots "$1/pytest" -q \
    tests/desk/test_walk_in_chromium.py tests/desk/test_screenshots_in_chromium.py
pngquant --force --skip-if-larger --strip --ext .png 128 docs/screenshots/*.png || [ $? = 98 ]
