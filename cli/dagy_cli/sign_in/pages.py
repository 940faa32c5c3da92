"""The pages a browser may end on: whole in themselves, without a script, and without anything to load."""

from __future__ import annotations

import base64
import hashlib
from html import escape
from typing import Final

_STYLE: Final = """
:root{color-scheme:light dark;--ground:#f6f7f9;--card:#fff;--ink:#1c2330;--soft:#5b6472;--good:#1a7f4b;--bad:#b3261e}
@media(prefers-color-scheme:dark){:root{--ground:#12151b;--card:#1c212a;--ink:#e8ebf0;--soft:#9aa4b2;--good:#4cc38a;\
--bad:#ff8a80}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1.5rem;background:var(--ground);\
color:var(--ink);font:1rem/1.5 system-ui,sans-serif}
main{width:100%;max-width:26rem;padding:2rem;border-radius:.75rem;background:var(--card);\
border-top:.25rem solid var(--bad);box-shadow:0 1px 3px #0003}
main.good{border-color:var(--good)}
h1{margin:0 0 .5rem;font-size:1.25rem}
p{margin:0;overflow-wrap:anywhere}
p+p{margin-top:.75rem;color:var(--soft)}
"""
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

HEADERS: Final = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def page(title: str, text: str, *, is_good: bool = False) -> bytes:
    """An HTML page. Both texts may hold anything; they are shown as they are."""
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)} · Dagy</title>
<style>{_STYLE}</style>
<main{' class="good"' if is_good else ""}>
<h1>{escape(title)}</h1>
<p>{escape(text)}</p>
<p>You can close this tab and go back to the terminal.</p>
</main>
</html>
""".encode("utf-8", "replace")
