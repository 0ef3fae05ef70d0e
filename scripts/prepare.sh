#!/bin/sh
# Makes a checkout ready to run: the right Node, packages as the lock file wants them, the programs built from the newest
# sources. Does nothing, in a moment, when all of that holds.
set -eu
cd "$(dirname "$0")/.."

if ! command -v node >/dev/null 2>&1; then
  echo "Calculaud needs Node 20.19 or newer, and no node was found. Install it from https://nodejs.org" >&2
  exit 1
fi
version=$(node --version)
major=${version#v}
minor=${major#*.}
major=${major%%.*}
minor=${minor%%.*}
if [ "$major" -lt 20 ] || { [ "$major" -eq 20 ] && [ "$minor" -lt 19 ]; }; then
  echo "Calculaud needs Node 20.19 or newer; this is $version ($(command -v node)). Install a newer one from https://nodejs.org" >&2
  exit 1
fi

installed=node_modules/.package-lock.json
if [ ! -e "$installed" ] || [ -n "$(find package-lock.json -newer "$installed")" ]; then
  echo "Installing packages (npm ci) …" >&2
  npm ci >&2
  # npm does not touch the file when nothing in it changes.
  touch "$installed"
fi

# Is anything that goes into a build newer than the build? Folders count too: that is how deleted files show.
outdated() {
  [ ! -e "$1/dist/.built" ] || [ -n "$(
    find apps packages scripts/build.ts tsconfig.json package-lock.json \
      \( -name node_modules -o -name dist \) -prune -o \
      -newer "$1/dist/.built" \( -type d -o -name '*.ts' -o -name '*.tsx' -o -name '*.json' \) -print | head -n 1
  )" ]
}

if outdated apps/server || outdated apps/cli; then
  echo "Building …" >&2
  node --import tsx scripts/build.ts
fi
