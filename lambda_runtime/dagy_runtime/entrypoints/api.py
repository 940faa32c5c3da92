"""The API function: API Gateway's events in, its answers out. The world is built once per process."""

from __future__ import annotations

import logging
import os
from typing import Final

from mangum import Mangum

from dagy.version import VERSION
from dagy_runtime.adapters.aws import world
from dagy_runtime.adapters.aws.pool_settings import read_pool
from dagy_runtime.adapters.aws.settings import read_settings
from dagy_runtime.api.app import create_app
from dagy_runtime.api.callers import Entrance
from dagy_runtime.engine.buckets import Rate
from dagy_runtime.engine.tokens import Issuer

logging.getLogger("dagy").setLevel(logging.INFO)

_SIZES: Final = tuple(read_settings(os.environ).functions.runtimes)

_POOL: Final = read_pool(os.environ)
_RATE: Final = os.environ.get("DAGY_CALLER_RATE", "").partition("/")  # requests a second / at once

handler: Final = Mangum(
    create_app(
        world(os.environ),
        stage=os.environ["DAGY_STAGE"],
        version=VERSION,
        sizes=_SIZES,
        has_containers=os.environ.get("DAGY_HAS_CONTAINERS") == "true",
        entrance=Entrance(Issuer(_POOL.issuer, _POOL.client_id), _POOL.sign_in_url, _POOL.app_url) if _POOL else None,
        rate=Rate(float(_RATE[0]), int(_RATE[2])) if _RATE[2] else None,
    ),
    lifespan="off",
)
