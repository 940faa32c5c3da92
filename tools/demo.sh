#!/usr/bin/env bash
# The main job, as a user would do it, on the local cloud: `make demo`.
#
# Everything lives in .dagy in this folder (your own ~/.dagy stays as it is). The local cloud is stopped at the end; with
# DEMO_KEEP=1 it goes on, to play with: export DAGY_LOCAL_DIR=$PWD/.dagy DAGY_PROFILE=local
set -euo pipefail
cd "$(dirname "$0")/.."
export DAGY_LOCAL_DIR="${DAGY_LOCAL_DIR:-$PWD/.dagy}" DAGY_PROFILE=local

started_at=$SECONDS
title() { printf '\n\033[1m%s\033[0m\n' "$*"; }
run() {
  printf '\033[36m$ %s\033[0m\n' "$(printf '%q ' "$@")"
  "$@"
}
finish() {
  local status=$?
  if [ "${DEMO_KEEP:-}" != 1 ]; then dagy local stop >/dev/null 2>&1 || true; fi
  if [ $status = 0 ]; then title "Done in $((SECONDS - started_at)) s."; else title "The demo failed."; fi
}
trap finish EXIT

title "1. A cloud on this machine, and a stage in it: cdk bootstrap, cdk deploy"
run dagy local start

title "2. Deploy a flow, with a schedule"
run dagy deploy examples/weather_etl/flow.py:weather_report --include 'data/*.csv' \
  --execution-mode small --schedule '*/1 * * * *' --timezone Europe/Athens --tag team=data

title "3. Run it there and watch"
run dagy run weather_report --param year=2013 --watch

title "4. What happened: tasks, logs, result"
run dagy runs list --remote --limit 5
run dagy runs show --remote --last
run dagy logs --remote --last
run dagy runs result --remote --last
