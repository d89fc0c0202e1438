"""The newest days of a data set that has ended, which Dagit plots.

Dagster pages back through partitions from now, wherever they end: of a data set that ended in spring Dagit asks for the
days of this autumn, and its plots of metadata by partition are empty. Only that is mended here, in the process that
answers Dagit.
"""

from functools import wraps

from dagster import TimeWindowPartitionsDefinition
from dagster._core.definitions.partitions.context import PartitionLoadingContext
from dagster._core.definitions.partitions.utils.time_window import TimeWindowCursor
from dagster._core.types.pagination import PaginatedResults


def page_back_from_the_end() -> None:
    """Let pages of the newest partitions begin, in this process, with the last partition that there is."""
    page = TimeWindowPartitionsDefinition.get_paginated_partition_keys

    @wraps(page)
    def from_the_end(
        self: TimeWindowPartitionsDefinition,
        context: PartitionLoadingContext,
        limit: int,
        ascending: bool,
        cursor: str | None = None,
    ) -> PaginatedResults[str]:
        end = self.end_timestamp
        if not ascending and cursor is None and end is not None and end < context.effective_dt.timestamp():
            # The page after one that has come as far as the end.
            cursor = TimeWindowCursor(
                start_timestamp=int(self.start_timestamp), end_timestamp=int(end), offset_partition_count=0
            ).to_string()
        return page(self, context, limit, ascending, cursor)

    TimeWindowPartitionsDefinition.get_paginated_partition_keys = from_the_end  # type: ignore[method-assign]
