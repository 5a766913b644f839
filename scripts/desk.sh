#!/bin/sh
# Bundle the desk's scripts and styles, with npm, unless that has been done. Usage: desk.sh
set -eu
. "$(dirname "$0")/apt.sh"
frontend=src/tocsin/desk/frontend
built=src/tocsin/desk/static/desk.js
if [ -f "$built" ] && [ -z "$(find "$frontend" -name node_modules -prune -o -type f -newer "$built" -print)" ]; then
    exit 0
fi
command -v npm >/dev/null 2>&1 || apt_install nodejs npm
cd "$frontend"
npm ci --silent --no-audit --no-fund
npm run build --silent
