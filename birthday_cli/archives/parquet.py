"""Parquet, compressed with zstd: numbers, dates and instants have types of their own.

What else there is, such as uuid and jsonb, is text. Parquet's instants know no infinity: the first
and last that it has stand for it, as they do in DuckDB.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from birthday_cli.archives import private
from birthday_cli.archives.private import DoesNotFit
from birthday_cli.domain.manifest import Column, Row

NAME = "parquet"

# Of rows as text: so many become one row group, and are in memory at once.
_PART_BYTES = 2**24
_READ_ROWS = 2**14
_INSTANT = "timestamp with time zone"
_LAST = 2**63 - 1
_INFINITE = {"infinity": _LAST, "-infinity": -_LAST}


def write(csv: Iterable[bytes], columns: Sequence[Column], path: Path) -> None:
    """Write the rows. Raises DoesNotFit for a value such as a year after 9999."""
    import pyarrow as pa
    from pyarrow import csv as arrow_csv
    from pyarrow import parquet

    types = [_type(column) for column in columns]
    schema = pa.schema([(column.name, kind) for column, kind in zip(columns, types, strict=True)])
    with private.create(path) as file:
        try:
            with parquet.ParquetWriter(file, schema, compression="zstd") as writer:
                for part in _parts(csv):
                    columns_of_text = arrow_csv.read_csv(
                        pa.BufferReader(part),
                        arrow_csv.ReadOptions(
                            use_threads=False, block_size=len(part), column_names=schema.names
                        ),
                        arrow_csv.ParseOptions(newlines_in_values=True),
                        arrow_csv.ConvertOptions(
                            column_types=dict.fromkeys(schema.names, pa.string()),
                            null_values=[""],
                            strings_can_be_null=True,
                            quoted_strings_can_be_null=False,
                        ),
                    )
                    packed = [
                        _packed(text, kind)
                        for text, kind in zip(columns_of_text.columns, types, strict=True)
                    ]
                    writer.write_table(pa.table(packed, schema=schema))
        except pa.ArrowInvalid as problem:
            raise DoesNotFit(str(problem)) from problem


def rows(path: Path, columns: Sequence[Column]) -> Iterator[Row]:
    """Yield the rows. Raises ValueError or OSError when the file is damaged."""
    from pyarrow import parquet

    with parquet.ParquetFile(path) as file:
        if file.schema_arrow.names != [column.name for column in columns]:
            raise ValueError("it has other columns")
        for part in file.iter_batches(_READ_ROWS):
            yield from map(
                list, zip(*(_unpacked(array).to_pylist() for array in part), strict=True)
            )


def _parts(csv: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the rows without the header, many at once."""
    lines = iter(csv)
    next(lines)
    part, size = [], 0
    for line in lines:
        part.append(line)
        size += len(line)
        if size >= _PART_BYTES:
            yield b"".join(part)
            part, size = [], 0
    if part:
        yield b"".join(part)


def _type(column: Column) -> Any:
    import pyarrow as pa

    types = {
        "smallint": pa.int16(),
        "integer": pa.int32(),
        "bigint": pa.int64(),
        "date": pa.date32(),
        _INSTANT: pa.timestamp("us", "UTC"),
    }
    return types.get(column.type, pa.string())


def _packed(text: Any, kind: Any) -> Any:
    """Return a column of text as one of kind."""
    import pyarrow as pa
    from pyarrow import compute

    if not pa.types.is_timestamp(kind):
        return text.cast(kind)
    finite = compute.if_else(compute.match_substring(text, "infinity"), None, text)
    instants = finite.cast(kind).cast(pa.int64())
    for name, value in _INFINITE.items():
        instants = compute.if_else(compute.equal(text, name), value, instants)
    return instants.cast(kind)


def _unpacked(array: Any) -> Any:
    """Return a column as text, as PostgreSQL writes it."""
    import pyarrow as pa
    from pyarrow import compute

    text = array.cast(pa.string())
    if not pa.types.is_timestamp(array.type):
        return text
    text = compute.replace_substring_regex(text, r"\.?0*Z$", "+00")
    for name, value in _INFINITE.items():
        text = compute.if_else(compute.equal(array.cast(pa.int64()), value), name, text)
    return text
