"""Children of a fork server that has imported everything, so that dozens of them take seconds.

What a child has to find imported is for the tests to say.
"""

import multiprocessing
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext


def fork_server(*modules: str) -> ForkServerContext:
    """The one whose children find these modules imported.

    A process has one fork server, which imports what was asked for when it began and is deaf to what is asked later:
    children of other tests would each import all of theirs. So it gives way to a new one; no child of it may be left.
    """
    context = multiprocessing.get_context("forkserver")
    preloaded = [*modules, "calback_assets_tests.frozen"]
    if forkserver._forkserver._preload_modules != preloaded:
        forkserver._forkserver._stop()
        context.set_forkserver_preload(preloaded)
    return context
