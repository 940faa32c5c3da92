"""The version of Dagy, where reading it costs nothing: `importlib.metadata` takes longer than all the rest of
`dagy --version`. A test holds it equal to what the installed distribution says.
"""

from itertools import takewhile

VERSION = "0.1.0"


def is_older(version: str, than: str = VERSION) -> bool:
    """By the first three numbers: `0.9.2` is older than `0.10.0rc1`."""
    return _numbers(version) < _numbers(than)


def _numbers(version: str) -> list[int]:
    heads = ["".join(takewhile(str.isdecimal, part)) for part in version.split(".")[:3]]
    return [int(head) for head in heads if head]
