"""The API function: API Gateway's events in, its answers out. The world is built once per process."""

from __future__ import annotations

import logging
import os
from typing import Final

from mangum import Mangum

from dagy.version import VERSION
from dagy_runtime.adapters.aws import world
from dagy_runtime.adapters.aws.settings import read_settings
from dagy_runtime.api.app import create_app

logging.getLogger("dagy").setLevel(logging.INFO)

_SIZES: Final = tuple(read_settings(os.environ).functions.runtimes)

handler: Final = Mangum(
    create_app(world(os.environ), stage=os.environ["DAGY_STAGE"], version=VERSION, sizes=_SIZES),
    lifespan="off",
)
