"""Options that take several words after one flag, as in `--dep-packages A1B2C3D4 X9Y8Z7W6`; click knows none."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import click

from dagy_cli.settings import Command

PACKAGES: Final = "--dep-packages"
_SLUG: Final = re.compile(r"[A-Za-z0-9]{8}")


class DepPackages(Command):
    """Gives each slug after `--dep-packages` a flag of its own, wherever on the line they stand. The first word may be
    anything; the others must look like slugs, so a target that follows them is none.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, spread(args))


def spread(words: Sequence[str]) -> list[str]:
    found: list[str] = []
    is_after_slug = False
    for at, word in enumerate(words):
        if word == "--":
            return [*found, *words[at:]]
        follows_flag = bool(found) and at > 0 and words[at - 1] == PACKAGES
        if is_after_slug and not follows_flag and _SLUG.fullmatch(word):
            found += [PACKAGES, word]
            continue
        is_after_slug = follows_flag or word.startswith(f"{PACKAGES}=")
        found.append(word)
    return found
