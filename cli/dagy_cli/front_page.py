"""What `dagy --help` prints where 80 columns are, made by tools/cli_reference.py: click takes 40 ms to say it."""

TEXT = """\
Usage: dagy [OPTIONS] [COMMAND] [ARGS]...

  Python flows in your own AWS account: build, deploy, run, schedule, look.

Options:
  --version   Print the version.
  -h, --help  Show this message and exit.

Every day:
  init    Start a project, or a flow, that works as it stands.
  build   Build a deployment artifact (zip) from a flow.
  deploy  Deploy a flow: build, upload, register, schedule.
  run     Run a flow here, or a deployment remotely.
  dev     Run a flow here, again whenever a file of it changes.
  logs    Show the logs of a run.

What is there:
  flows         Flows registered in a stage.
  deployments   Deployments: what can be run, and when.
  schedules     Schedules: what runs by itself, and when.
  packages      Dependency packages: third-party modules for flows.
  runs          Runs, here or in a stage.
  dead-letters  Messages that AWS gave up on.

Environments:
  infra   Provision stages in your AWS account.
  local   The local cloud: AWS emulated on this machine.
  keys    API keys of a stage.
  users   People who may sign in to a stage.
  audit   Who changed what in a stage.
  config  Profiles: which environment commands talk to.
  login   Sign in through the browser.
  logout  Revoke and forget the sign-in.
  status  How things are, here and in the stage.
  open    Open the web app: its start, a run, or a deployment.
  whoami  Who the API thinks you are.

Help:
  clean       Remove records of local runs, and builds.
  doctor      Check this machine, the profile, and what it points to.
  completion  Tab completion for bash, zsh and fish.
  help        Topics that belong to no single command.

Global options:
  -p, --profile NAME  The profile to use.
  --format FORMAT     How facts are written: table, json, jsonl, yaml, csv.
  --json              Short for --format json.
  --verbose           Say more on stderr.
  --quiet             No remarks, only answers and errors.
  --debug             Show tracebacks of errors.
  --no-color          No colour; NO_COLOR does it too.
"""
