"""The platform that this very interpreter is."""

from __future__ import annotations

import os
import sys

from dagy.core.platforms import Platform


def host_platform() -> Platform:
    architecture = "arm64" if os.uname().machine.lower() in ("arm64", "aarch64") else "x86_64"
    return Platform(sys.platform, architecture, f"{sys.version_info.major}.{sys.version_info.minor}")
