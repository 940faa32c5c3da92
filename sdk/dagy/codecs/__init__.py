"""The formats behind `dagy.results`: tagged JSON, Parquet, and finding out why something cannot be pickled."""
