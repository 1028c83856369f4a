"""Tag a column of texts in Spark. Wants Java 17 and: pip install 'pyspark>=4,<5' 'pandas<3' pyarrow.

    python examples/spark_job.py INPUT.json OUTPUT_FOLDER [MODEL]

INPUT has a JSON object a line, whose "text" is tagged. Each of Spark's Python processes loads the tagger once for a
partition, and reads partitions in frames of at most 1,000 texts.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

import pandas as pd

import tagsmith

SPANS = "array<struct<entity_group: string, score: double, word: string, start: int, end: int>>"


def tag_frames(frames: Iterable[pd.DataFrame], model: str) -> Iterator[pd.DataFrame]:
    """Frames, and a column of spans beside their own."""
    tagger = tagsmith.BatchTagger(model)
    for frame in frames:
        yield frame.assign(spans=tagger({"text": frame["text"].tolist()})["spans"])


def main(source: str, target: str, model: str = tagsmith.DEFAULT_TAGGER) -> None:
    """Tag the texts of a file."""
    from pyspark.sql import SparkSession

    spark = (
        SparkSession.builder.appName("tagsmith")
        .config("spark.sql.execution.arrow.maxRecordsPerBatch", 1000)
        .config("spark.executorEnv.OMP_NUM_THREADS", 1)  # Spark starts a process for each core
        .getOrCreate()
    )
    rows = spark.read.json(source)
    columns = ", ".join(f"`{field.name}` {field.dataType.simpleString()}" for field in rows.schema)
    tagged = rows.mapInPandas(lambda frames: tag_frames(frames, model), f"{columns}, spans {SPANS}")
    tagged.write.json(target)
    spark.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
