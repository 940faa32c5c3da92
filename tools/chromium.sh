#!/usr/bin/env bash
# Has a Chromium here for the tests that sign in with one: installs Debian's when it may, else says how.
#
# Without one those tests are skipped by name; with DAGY_REQUIRE_CHROMIUM=1 they fail, and so does this.
set -euo pipefail

say() { printf '\033[2m[chromium]\033[0m %s\n' "$*" >&2; }
is_here() { command -v chromium >/dev/null && command -v chromedriver >/dev/null; }

is_here && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  say "installing Debian's chromium and chromium-driver (about 350 MB)"
  { apt-get -qq update && apt-get -qq install -y --no-install-recommends chromium chromium-driver; } >/dev/null || true
  is_here && exit 0
fi
say "No chromium and chromedriver here, so the tests that sign in with one will not run. Debian: apt-get install chromium chromium-driver"
[ "${DAGY_REQUIRE_CHROMIUM:-}" != 1 ]
