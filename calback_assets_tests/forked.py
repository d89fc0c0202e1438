"""Children of a fork server that has imported everything, so that dozens of them take seconds.

What a child has to find imported is for the tests to say.
"""

import multiprocessing
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext


def fork_server(*modules: str) -> ForkServerContext:
    """The one whose children find these modules imported.

    A process has one fork server, which imports what was asked for when it began and is deaf to what is asked later:
    children of other tests would each import all of theirs. So it gives way to a new one; no child of it may be left.
    """
    context = multiprocessing.get_context("forkserver")
    preloaded = ["calback_assets_tests.frozen", *modules]
    if forkserver._forkserver._preload_modules != preloaded:
        forkserver._forkserver._stop()
        context.set_forkserver_preload(preloaded)
    return context


def be_calback(environment: Mapping[str, str], arguments: Sequence[str]) -> None:
    """Go on as the command, in a child whose descriptors 0 to 2 are where they shall be; does not return."""
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")  # noqa: SIM115 - to the process's end
    os.environ.clear()
    os.environ.update(environment)
    tempfile.tempdir = None  # What is imported already may have looked for it.
    sys.argv = ["calback", *arguments]
    from calback_assets.cli import main

    main(prog_name="calback")
