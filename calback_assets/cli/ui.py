"""`calback ui`: Dagit behind its guard, and the address that opens it.

Only the front belongs here: `calback_assets.web` serves and guards.
"""

import secrets
from collections.abc import Sequence

from rich.console import Console

from calback_assets.cli.on_instance import instance_of
from calback_assets.settings import Settings
from calback_assets.web.port import listening
from calback_assets.web.server import serve

_TOKEN_BYTES = 24


def open_dagit(
    settings: Settings, token: str | None, *, host: str, port: int, names: Sequence[str], is_read_only: bool
) -> None:
    """Serve Dagit until it is interrupted.

    Raises:
        CalbackError: the port cannot be had, or Dagster's daemon ended by itself.
    """
    out = Console(markup=False, highlight=False, soft_wrap=True)
    notes = Console(stderr=True, markup=False, highlight=False, soft_wrap=True)
    shown = f"[{host}]" if ":" in host else host
    with listening(host, port) as listener, instance_of(settings, notes, is_catching=True) as instance:
        address = f"http://{shown}:{listener.getsockname()[1]}/"
        if is_read_only:
            token, told = None, f"Dagit, for looking only: {address}"
        elif token:
            told = f"Dagit: {address} (its token is CALBACK_UI_TOKEN)"  # A secret of one's own stays out of logs.
        else:
            token = secrets.token_urlsafe(_TOKEN_BYTES)
            told = f"Dagit: {address}?token={token}"
        serve(instance, listener, token=token, hosts=[shown, *names], on_ready=lambda: out.print(told))
