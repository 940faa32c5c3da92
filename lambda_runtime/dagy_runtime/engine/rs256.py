"""RSASSA-PKCS1-v1_5 with SHA-256, verification only (RFC 8017, 8.2.2): the one signature that Cognito makes.

Nothing here is secret, so nothing needs constant time or a cryptography library, whose wheel would double the API's
zip: a power, and a comparison with the only encoding there is. docs/design/identity.md weighs it.
"""

from __future__ import annotations

import hashlib
from typing import Final

from dagy_runtime.ports.people import RsaKey

_SHA256_INFO: Final = bytes.fromhex("3031300d060960864801650304020105000420")  # DER of "a SHA-256 digest follows"
_EXPONENT: Final = 65_537
_BITS: Final = range(2048, 4097)


def is_usable(key: RsaKey) -> bool:
    return key.n.bit_length() in _BITS and key.n % 2 == 1 and key.e == _EXPONENT


def is_signed(message: bytes, signature: bytes, key: RsaKey) -> bool:
    """Whether the holder of the key signed the message. The encoding is made and compared, never parsed: what parsers
    overlook (Bleichenbacher, 2006) cannot be overlooked.
    """
    size = (key.n.bit_length() + 7) // 8
    number = int.from_bytes(signature, "big")
    if not is_usable(key) or len(signature) != size or number >= key.n:
        return False
    info = _SHA256_INFO + hashlib.sha256(message).digest()
    expected = b"\x00\x01" + b"\xff" * (size - len(info) - 3) + b"\x00" + info
    return pow(number, key.e, key.n).to_bytes(size, "big") == expected
