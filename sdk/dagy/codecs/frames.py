"""Data frames and Arrow tables as Parquet. Imports pandas and pyarrow only for values that are made of them."""

from __future__ import annotations

import io
from typing import Any, Final

_PANDAS_MARK: Final = b"dagy.pandas"


def to_parquet(value: Any) -> bytes | None:
    """None when the value is no table, pyarrow is not installed, or Parquet would not give it back as it is
    (columns of mixed types or tuples, say): pickle keeps those."""
    kind = type(value)
    package = kind.__module__.partition(".")[0]
    if (package, kind.__name__) not in {("pandas", "DataFrame"), ("pyarrow", "Table")}:
        return None
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        return None
    if package == "pyarrow":
        return _written(pq, value)
    try:
        table = pa.Table.from_pandas(value)
        is_exact = not value.attrs and _is_same_frame(table.to_pandas(), value)
    except (pa.ArrowException, ValueError, TypeError, KeyError):
        return None
    if not is_exact:
        return None
    return _written(pq, table.replace_schema_metadata({**(table.schema.metadata or {}), _PANDAS_MARK: b"1"}))


def from_parquet(data: bytes) -> Any:
    """What `to_parquet` was given: a pandas DataFrame or a pyarrow Table."""
    import pyarrow.parquet as pq

    table = pq.read_table(io.BytesIO(data))
    metadata = table.schema.metadata or {}
    if _PANDAS_MARK in metadata:
        return table.to_pandas()
    return table


def _written(pq: Any, table: Any) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()


def _is_same_frame(found: Any, expected: Any) -> bool:
    return bool(
        found.equals(expected)
        and list(found.dtypes) == list(expected.dtypes)
        and list(found.index.names) == list(expected.index.names)
        and list(found.columns) == list(expected.columns)
        and not any(
            str(dtype) == "object" and not _is_all_text(expected.iloc[:, at])
            for at, dtype in enumerate(expected.dtypes)
        )
    )


def _is_all_text(column: Any) -> bool:
    """Object columns hold any mixture; only text, bytes and missing values come back as they were."""
    return all(item is None or type(item) in (str, bytes) for item in column)
