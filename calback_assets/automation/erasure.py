"""The job that erases one person from every table; started by hand alone.

What is on record of it is a keyed hash, tables, rows and days: never the id. How tables are swept stands in
`calback_assets.warehouse`.
"""

import re

from dagster import AssetObservation, Config, JobDefinition, MetadataValue, OpExecutionContext, ResourceParam, job, op
from pydantic import Field

from calback_assets.errors import ErasureError
from calback_assets.tables import TABLES
from calback_assets.warehouse.warehouse import Warehouse

ERASE_JOB_NAME = "erase_person"
ERASE_STEP = "erase"
SUBJECT_HASH = "subject_hash"
_HASH = re.compile("[0-9a-f]{64}")


class ErasureConfig(Config):
    """Who is meant."""

    subject_hash: str = Field(
        description="What `calback erase USER_ID --print-hash` prints: 64 hexadecimal digits. Never the id itself, "
        "which would stay on record here."
    )


# No output: one would ask for the I/O manager, which keeps the warehouse's file open to the end of the run. And Dagster
# takes an annotation of what is returned for one of an output.
@op(name=ERASE_STEP, out={}, description="Takes one person out of every table and puts them on the suppression list.")
def erase(context: OpExecutionContext, config: ErasureConfig, warehouse: ResourceParam[Warehouse]):  # type: ignore[no-untyped-def]
    """Erase the person with that hash.

    Raises:
        ErasureError: it is no hash.
    """
    if not _HASH.fullmatch(config.subject_hash):
        raise ErasureError(
            "subject_hash is not what `calback erase USER_ID --print-hash` prints, 64 hexadecimal digits; nothing was "
            "erased; delete this run if it holds the id of a person"
        )
    with warehouse.kept_open(), warehouse.session() as session:
        try:
            erased = session.erase(config.subject_hash, context.run_id)
            stale = {table.name: len(session.stale_days(table)) for table in TABLES.values() if table.is_partitioned}
        except session.failures as error:
            raise session.redact(error) from None
    for done in erased:
        metadata: dict[str, MetadataValue] = {
            "rows_removed": MetadataValue.int(done.removed),
            "rows_unlinked": MetadataValue.int(done.unlinked),
        }
        if done.days:
            metadata |= {
                "days": MetadataValue.int(len(done.days)),
                "first_day": MetadataValue.text(str(done.days[0])),
                "last_day": MetadataValue.text(str(done.days[-1])),
            }
        context.log_event(AssetObservation(done.table.name, description="A person was erased.", metadata=metadata))
    for table, days in stale.items():
        if days:
            context.log.info(f"{table}: {days} days are rebuilt by the next run")
            context.log_event(AssetObservation(table, metadata={"stale_days": days}))
    context.log.info(f"rows removed or unlinked in {len(erased)} tables")


def _job() -> JobDefinition:
    @job(name=ERASE_JOB_NAME, description="Erases one person, by keyed hash, from every table and every later write.")
    def erase_person() -> None:
        erase()

    return erase_person


erase_job = _job()
