"""How the names of files end that hold tables of cells, as patterns."""

_PACKED = r"(\.(gz|zst|bz2))?"
TEXT = rf"\.(csv|tsv|tab|psv|txt|data|dat){_PACKED}"
JSON = rf"\.(jsonl|ndjson){_PACKED}"
EXCEL = r"\.(xlsx|xlsm|xlsb|xls|ods)"
PARQUET, ARROW = r"\.parquet", r"\.(arrow|feather|ipc)"
