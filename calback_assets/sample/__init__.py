"""The seeded sample data: a small world of people, written as the files that real exports consist of.

This package writes files and nothing else: it reads no table, no setting and no clock. `docs/sample-data.md`
says what is in the sample and which truth is planted there.
"""

from calback_assets.sample.writer import SampleSummary, write_sample

__all__ = ["SampleSummary", "write_sample"]
