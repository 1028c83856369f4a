"""Write the tables of this folder's README as JSON, for those who want the figures and not the page.

    python benchmarks/figures.py

`figures.json` holds a list: of each table its heading, the paragraph before it, columns and rows, as text.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tagsmith.training.machine.whole_files import write_whole

PAGE = Path(__file__).with_name("README.md")
FIGURES = Path(__file__).with_name("figures.json")


def cells(line: str) -> list[str]:
    """The cells of a row, without marks of emphasis."""
    return [re.sub(r"\*\*|`", "", cell).strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]


def tables(page: str) -> list[dict[str, Any]]:
    """The tables of a page in Markdown."""
    found: list[dict[str, Any]] = []
    heading, paragraph, before = "", "", ""
    lines = page.split("\n")
    for number, line in enumerate(lines):
        if line.startswith("#"):
            heading, paragraph = line.lstrip("# "), ""
        elif line.startswith("|") and not lines[number - 1].startswith("|"):
            found.append({"heading": heading, "text": before, "columns": cells(line), "rows": []})
        elif line.startswith("|") and not re.fullmatch(r"[|\s:-]+", line):
            found[-1]["rows"].append(cells(line))
        elif line.strip():
            paragraph = f"{paragraph} {line}".strip()
            before = paragraph
        else:
            paragraph = ""
    return found


def main() -> None:
    """Write the file."""
    write_whole(FIGURES, json.dumps(tables(PAGE.read_text(encoding="utf-8")), ensure_ascii=False, indent=1) + "\n")


if __name__ == "__main__":
    main()
