"""The few pages that the API shows to people: whole in themselves, without a script, and without anything to load."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from html import escape
from typing import Final

from msgspec import Struct

_STYLE: Final = """
:root{color-scheme:light dark;--ground:#f6f7f9;--card:#fff;--ink:#1c2330;--soft:#5b6472;--key:#2457c5;--bad:#b3261e}
@media(prefers-color-scheme:dark){:root{--ground:#12151b;--card:#1c212a;--ink:#e8ebf0;--soft:#9aa4b2;--key:#8ab0ff;\
--bad:#ff8a80}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1.5rem;background:var(--ground);\
color:var(--ink);font:1rem/1.5 system-ui,sans-serif}
main{width:100%;max-width:26rem;padding:2rem;border-radius:.75rem;background:var(--card);\
border-top:.25rem solid var(--key);box-shadow:0 1px 3px #0003}
main.bad{border-color:var(--bad)}
h1{margin:0 0 .5rem;font-size:1.25rem}
p{margin:0;overflow-wrap:anywhere;color:var(--soft)}
code{font:.9375em ui-monospace,monospace;color:var(--ink)}
a{display:inline-block;margin-top:1.25rem;padding:.5rem 1.25rem;border-radius:.5rem;background:var(--key);\
color:var(--card);text-decoration:none;font-weight:600}
a:focus-visible{outline:.2rem solid var(--ink);outline-offset:.15rem}
"""
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

HEADERS: Final = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}

_COMMAND: Final = "dagy login"


class Page(Struct, frozen=True):
    status: int
    body: bytes
    headers: Mapping[str, str]


def shown(title: str, text: str, *, link: tuple[str, str], cookie: str) -> Page:
    """`link` is what it says and where it leads."""
    said, url = link
    body = _html(title, f'{_paragraph(text)}\n<a href="{escape(url)}" rel="noreferrer">{escape(said)}</a>')
    return Page(200, body, {**HEADERS, "Set-Cookie": cookie})


def failed(reason: str) -> Page:
    return Page(400, _html("That did not work", _paragraph(reason), kind="bad"), HEADERS)


def leave(url: str, *, cookie: str) -> Page:
    """303, so that whatever the browser sent is not sent on."""
    return Page(303, b"", {**HEADERS, "Location": url, "Set-Cookie": cookie})


def _paragraph(text: str) -> str:
    return f"<p>{escape(text).replace(_COMMAND, f'<code>{_COMMAND}</code>')}</p>"


def _html(title: str, content: str, *, kind: str = "good") -> bytes:
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)} · Dagy</title>
<style>{_STYLE}</style>
<main class="{kind}">
<h1>{escape(title)}</h1>
{content}
</main>
</html>
""".encode("utf-8", "replace")
