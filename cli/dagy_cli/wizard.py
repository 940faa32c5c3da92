"""`dagy config` alone: profiles, asked for. Every answer is in before anything is written."""

from __future__ import annotations

from urllib.parse import urlsplit

import click

from dagy.config import (
    DEFAULT_TABLE_FORMAT,
    Config,
    Profile,
    checked_profile_name,
    checked_url,
    choose_profile,
    delete_profile,
    read_config,
    set_default_profile,
    write_profile,
)
from dagy.core.errors import InvalidInput
from dagy.loopback import is_loopback
from dagy_cli.prompts import agree, ask, choose

NEW = "Create new profile"


def run_wizard(asked_for: str | None = None) -> None:
    """Create the first profile, or let one be chosen and changed. `asked_for` is chosen already.

    Raises: what `dagy_cli.prompts.ask` and the functions of `dagy.config` raise; nothing is written then.
    """
    config = _readable_config()
    if not config.profiles:
        click.echo("No profiles found. Creating the first profile.")
        _create(config)
        return
    names = sorted(config.profiles)
    if asked_for is None:
        lines = [_described(config.profiles[name], config.default_profile) for name in names]
        chosen = choose("Select a profile", [*lines, NEW], marked="Exit")
        if chosen is None:
            click.echo("No changes.")
            return
        if chosen == len(names):
            _create(config)
            return
        asked_for = names[chosen]
    _change(choose_profile(config, asked_for)[0])


def _readable_config() -> Config:
    """What the file says. One that cannot be read counts as none: it is set aside when a profile is written."""
    try:
        return read_config()
    except InvalidInput as error:
        click.echo(f"{error}\nIt will be set aside as config.bak-<timestamp>.yaml, and a fresh one started.", err=True)
        return Config()


def _described(profile: Profile, default: str | None) -> str:
    return f"{profile.name}  {profile.api_url or '-'}{'  (default)' if profile.name == default else ''}"


def _create(config: Config) -> None:
    def new_name(text: str) -> str:
        if checked_profile_name(text) in config.profiles:
            raise InvalidInput(f"Profile '{text}' exists", "Give another name, or choose it to change it.")
        return text

    name = ask("Enter profile name", new_name)
    api_url = ask("Enter Dagy API URL", _wanted_url)
    table_format = _table_format(f"Use default ({DEFAULT_TABLE_FORMAT})", DEFAULT_TABLE_FORMAT)
    is_default = bool(config.profiles) and agree("Make it the default profile?")
    write_profile(name, api_url=api_url, table_format=table_format, is_default=is_default, exists=False)
    click.echo("Configuration saved.")


def _change(profile: Profile) -> None:
    name = str(profile.name)
    chosen = choose(f"Profile {name}", ["Edit", "Set as default", "Delete"], marked="Exit")
    if chosen == 0:
        api_url = ask("Enter Dagy API URL", _wanted_url, default=profile.api_url or "")
        table_format = _table_format(f"Keep {profile.table_format}", profile.table_format)
        write_profile(name, api_url=api_url, table_format=table_format, exists=True)
    elif chosen == 1:
        set_default_profile(name)
    elif chosen == 2 and agree(f"Forget the profile {name} and its API key?"):
        delete_profile(name)
        click.echo(f"Deleted {name}")
        return
    else:
        click.echo("No changes.")
        return
    click.echo("Configuration saved.")


def _wanted_url(text: str) -> str:
    url = checked_url(text)
    if is_loopback(urlsplit(url).hostname) and not agree(f"{url} is on this machine only. Use it?"):
        raise InvalidInput(f"Not used: {url}", "Give another URL.")
    return url


def _table_format(marked: str, default: str) -> str:
    from tabulate import tabulate_formats  # a lazy door: 50 ms, and only for this question

    chosen = choose("Select table format", tabulate_formats, marked=marked)
    return default if chosen is None else str(tabulate_formats[chosen])
