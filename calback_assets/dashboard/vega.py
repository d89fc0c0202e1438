"""Vega, Vega-Lite and what puts them on a page, as one script, which is kept from one run to the next.

Only how the script comes to be belongs here. To bundle it starts a JavaScript engine and takes one to three seconds, a
fifth of a small day's run, and gives the same each time. So it lies beside what Python has compiled of this module:
who can write there can write the module as well.
"""

import hashlib
import os
import re
import sys
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from importlib.util import cache_from_source
from pathlib import Path

_SNIPPET = "window.vegaEmbed = vegaEmbed;"


@cache
def vega() -> str:
    """The script, which nothing in it can close."""
    made_of = f"{version('vl-convert-python')} {_SNIPPET}"
    kept = Path(cache_from_source(__file__)).with_name(f"vega.{hashlib.sha256(made_of.encode()).hexdigest()[:16]}.js")
    try:
        bundle = kept.read_bytes().decode()
    except (OSError, UnicodeDecodeError):
        from vl_convert import javascript_bundle

        bundle = javascript_bundle(_SNIPPET)
        with suppress(OSError):  # As for Python, which goes on where it may not write.
            _keep(bundle, kept)
    return re.sub("</(?=script)", r"<\\/", bundle, flags=re.IGNORECASE)


def _keep(bundle: str, kept: Path) -> None:
    if sys.dont_write_bytecode:
        return
    new = kept.with_name(f"{kept.name}.{os.getpid()}")
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        with new.open("wb") as file:
            file.write(bundle.encode())
            file.flush()
            os.fsync(file.fileno())  # Half of it would be taken for all of it ever after.
        new.replace(kept)
    finally:
        new.unlink(missing_ok=True)
