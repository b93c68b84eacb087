"""Append rows to a table with awswrangler; run by a Python that has it, see `make bench-others`.

stdin: {"rows": [...], "table", "database", "cluster", "secret"}; stdout: the seconds it took.
"""

import json
import sys
import time

import awswrangler  # type: ignore[import-not-found]
import pandas  # type: ignore[import-untyped]


def main() -> None:
    """Append the rows; the time of importing and connecting does not count."""
    given = json.load(sys.stdin)
    frame = pandas.DataFrame(given["rows"])
    connection = awswrangler.data_api.rds.connect(
        resource_arn=given["cluster"], secret_arn=given["secret"], database=given["database"]
    )
    started = time.perf_counter()
    awswrangler.data_api.rds.to_sql(
        frame,
        con=connection,
        table=given["table"],
        database=given["database"],
        mode="append",
        use_column_names=True,
        dtype=dict.fromkeys(frame.columns, "TEXT"),
        sql_mode="ansi",
    )
    print(time.perf_counter() - started)


if __name__ == "__main__":
    main()
