"""A person without a screen, to be named in BROWSER: fills the form of the sign-in page, or does as VISIT says.

VISIT is `sign-in`, `cancel`, `nothing`, or a query to go to the callback with, in which {state} stands for the state.
"""

from __future__ import annotations

import os
import sys
import urllib.request
from urllib.parse import parse_qs, urlencode, urlsplit

from sign_in_server import PASSWORD


def visit(url: str, what: str, email: str = "a@example.com") -> str:
    """The page it ends on."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    begun = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    if what == "nothing":
        return ""
    if what in ("sign-in", "cancel"):
        form = {**begun, "email": email, "password": PASSWORD, "choice": what}
        target, data = url.partition("?")[0], urlencode(form).encode()
    else:
        target, data = f"{begun['cli_callback']}?{what.format(state=begun['state'])}", None
    with opener.open(target, data, timeout=30) as page:
        return str(page.read().decode())


if __name__ == "__main__":
    visit(sys.argv[1], os.environ["VISIT"])
