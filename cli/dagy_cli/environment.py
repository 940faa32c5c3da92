"""The variables of the environment that the command line listens to, for `dagy help environment` and the reference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Variable:
    name: str
    meaning: str
    default: str | None = None


VARIABLES: Final = (
    Variable("DAGY_PROFILE", "The profile to use when --profile names none.", "the default profile"),
    Variable("DAGY_API_URL", "Where the API is, whatever the profile says."),
    Variable("DAGY_APP_URL", "Where the web app is that `dagy login` signs in with, whatever the profile says."),
    Variable("DAGY_API_KEY", "The key to send, wherever DAGY_API_URL or the profile leads."),
    Variable("DAGY_TOKEN", "The same, for a token; DAGY_API_KEY wins."),
    Variable("DAGY_ARTIFACT_BUCKET", "The bucket for artifacts.", "the stage's, found in AWS"),
    Variable("DAGY_LOCAL_DIR", "The folder of everything kept on this machine.", "~/.dagy"),
    Variable("DAGY_LOCAL_VERBOSE", "Whether local runs tell what they do: true, 1, yes or on.", "false"),
    Variable("DAGY_LOCAL_ARTIFACT_MAX_BYTES", "The size a stored result of a local run may have.", "5242880"),
    Variable(
        "AWS_REGION", "The AWS region when the profile names none; AWS_DEFAULT_REGION comes after it.", "us-east-1"
    ),
    Variable("NO_COLOR", "When it is not empty, nothing is coloured; like --no-color, it wins over the next two."),
    Variable("CLICOLOR_FORCE", "When it is set, and not 0, everything is coloured, also in files and pipes."),
    Variable("CLICOLOR", "When it is 0, nothing is coloured. Without any of these, terminals are."),
    Variable("TERM", "When it is dumb or empty, a run is shown in plain lines, and without colours."),
    Variable("SHELL", "The shell whose tab completion `dagy doctor` looks for."),
    Variable("BROWSER", "The browser that `dagy login` opens: a program, or a command with %s for the address."),
)
