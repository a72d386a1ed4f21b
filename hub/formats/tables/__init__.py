"""Tables in files that people upload: CSV, TSV, JSON, JSON lines, Parquet and Arrow, bounded.

Nothing reads a whole large file: a reader goes from a mark (a row and the byte where it begins) to
the rows that are asked for, and says what it cannot read instead of failing for all of it.
"""
