"""What this process runs on: what the packages of a stage are built for, since all its functions are alike."""

from __future__ import annotations

import sys
from typing import Final

from dagy.core.platforms import LAMBDA, Platform
from dagy.packages.host import host_platform

IS_LAMBDA: Final = sys.executable.startswith("/var/lang/")
"""Whether this is one of AWS's own sandboxes. An emulator's is not."""


def this_platform() -> Platform:
    here = host_platform()
    return Platform(LAMBDA, here.architecture, here.python_version) if IS_LAMBDA else here
