"""The platform's own definitions under Dagster's default executor, a process for each step: the peer of `executor`."""

import os

from dagster import Definitions

from calback_assets.definitions import build_defs
from calback_assets.settings import Settings


def _under_the_default_executor(ours: Definitions) -> Definitions:
    # No executor is named, so that Dagster takes its own.
    return Definitions(assets=ours.assets, asset_checks=ours.asset_checks, jobs=ours.jobs, resources=ours.resources)


defs = _under_the_default_executor(build_defs(Settings.from_env(os.environ)))
