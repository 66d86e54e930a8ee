"""``vcokit config``: the settings in force, where each comes from, and whose key would be used."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from vcokit import config
from vcokit._text import printable
from vcokit.cli import show
from vcokit.cli.steplog import one_line
from vcokit.cloud.credentials import from_environment, read_profile
from vcokit.errors import VcokitError

_PROFILES: Final = "~/.aliyun/config.json"
_PROXIES: Final = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")


def config_command(
    profile: Annotated[
        str | None, typer.Option(help="Profile of the vendor's CLI whose AccessKey is used.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Show the settings in force and where each comes from.

    An option wins over the environment (VCOKIT_…), that over vcokit.toml in the working folder,
    that over the default. Secrets are masked.
    """
    settings = config.in_force()
    key, proxies, unknown = _key(profile), _proxies(), _unknown()
    if json:
        print(
            one_line(
                {
                    "settings": settings.to_dict("records"),
                    "key": key,
                    "proxies": proxies,
                    "unknown": unknown,
                }
            )
        )
        return
    shown = show.console()
    shown.print(show.table("Settings", settings.columns, settings.itertuples(index=False)))
    shown.print(f"\nAccessKey  {printable(key)}", markup=False)
    for name, value in proxies.items():
        shown.print(f"{name}  {printable(value)}", markup=False)
    for name in unknown:
        show.error_console().print(f"{printable(name)}: no such setting", markup=False)


def _key(profile: str | None) -> str:
    """Return where a command would look for a key first; none is used and nobody is asked.

    Half a key in the environment is told as a command would tell of it.
    """
    if profile is not None:
        return _key_of(profile)
    try:
        found = from_environment(os.environ)
    except VcokitError as error:
        return f"none: {error}"
    if found is not None:
        return f"{found!r} (environment)"
    named = os.environ.get("ALIBABA_CLOUD_PROFILE")
    if named or (Path.home() / ".aliyun" / "config.json").is_file():
        return _key_of(named)
    return "none in the environment or a profile; the official package is asked, if it is installed"


def _key_of(profile: str | None) -> str:
    """Return whose key a profile's is; where there is no such profile, what a command would say."""
    try:
        found = read_profile(Path.home() / ".aliyun" / "config.json", profile)
    except VcokitError as error:
        return f"none: {error}"
    return f"of the profile {found['name']} ({_PROFILES})"


def _proxies() -> dict[str, str]:
    names = [name for one in _PROXIES for name in (one, one.lower())]
    return {name: config.masked(os.environ[name]) for name in names if os.environ.get(name)}


def _unknown() -> list[Any]:
    """Return the variables that look like settings and are none: mistyped, most likely."""
    known = {config.PREFIX + name.upper() for name in config.SETTINGS}
    return sorted(n for n in os.environ if n.startswith(config.PREFIX) and n not in known)
