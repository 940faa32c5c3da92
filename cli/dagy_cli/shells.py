"""Where the completion script of each shell belongs, and whether it is there."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

from click.shell_completion import get_completion_class

from dagy.local.paths import local_dir
from dagy_cli.completing import VARIABLE

SHELLS: Final = ("bash", "zsh", "fish")
_MARK: Final = "# Tab completion of dagy"
# Without compinit zsh has no completions at all, ours included.
_ZSH_NEEDS: Final = "(( $+functions[compdef] )) || { autoload -Uz compinit && compinit; }\n"


class Standing(Enum):
    MISSING = "missing"
    STALE = "stale"  # another version of it is there
    INSTALLED = "installed"


@dataclass(frozen=True, slots=True)
class Place:
    """`script` is a file of ours. `start_file` is the user's, which gets `lines` at its end; None where the shell finds
    the script by itself.
    """

    shell: str
    script: Path
    start_file: Path | None
    lines: str

    @classmethod
    def of(cls, shell: str, environ: Mapping[str, str] = os.environ) -> Place:
        home = Path(environ.get("HOME") or Path.home())
        if shell == "fish":
            config = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
            return cls(shell, config / "fish" / "completions" / "dagy.fish", None, "")
        script = local_dir(environ).absolute() / "completion" / f"dagy.{shell}"
        quoted = shlex.quote(str(script))
        lines = f"\n{_MARK}\n{_ZSH_NEEDS if shell == 'zsh' else ''}[ ! -f {quoted} ] || . {quoted}\n"
        if shell == "zsh":
            return cls(shell, script, Path(environ.get("ZDOTDIR") or home) / ".zshrc", lines)
        return cls(shell, script, home / ".bashrc", lines)

    def standing(self) -> Standing:
        known = _read(self.script)
        if known is None or not self.is_started:
            return Standing.MISSING
        return Standing.INSTALLED if known == script_for(self.shell) else Standing.STALE

    @property
    def is_started(self) -> bool:
        """The shell will read the script."""
        return self.start_file is None or self.lines.splitlines()[-1] in (_read(self.start_file) or "")

    def install(self) -> None:
        """The script is written anew, the start file only when it does not name it yet. A repeat changes nothing."""
        self.script.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.script.with_name(f".{self.script.name}.{os.getpid()}")
        temporary.write_text(script_for(self.shell), encoding="utf-8")
        temporary.replace(self.script)
        if self.start_file is not None and not self.is_started:
            with self.start_file.open("a", encoding="utf-8") as file:  # it may be a link: replacing would break it
                file.write(self.lines)


def script_for(shell: str) -> str:
    """What `dagy completion SHELL` prints."""
    kind = get_completion_class(shell)
    if kind is None:
        raise LookupError(f"click has no completion for {shell}")
    return kind.source_template % kind(None, {}, "dagy", VARIABLE).source_vars()  # type: ignore[arg-type]


def current_shell(environ: Mapping[str, str] = os.environ) -> str | None:
    """The login shell, when it is one that completion exists for."""
    name = Path(environ.get("SHELL", "")).name
    return name if name in SHELLS else None


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
