"""The table in docs/platforms.md: one row for each case, one cell for each thing a platform can do."""

from pathlib import Path

DOCUMENT = Path(__file__).parents[2] / "docs" / "platforms.md"
_BEGIN, _END = "<!-- table: begin -->\n", "<!-- table: end -->\n"


def read_table() -> dict[str, dict[str, str]]:
    """The cells by row and column."""
    text = DOCUMENT.read_text()
    lines = text[text.index(_BEGIN) + len(_BEGIN) : text.index(_END)].strip().splitlines()
    columns, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[0]: dict(zip(columns[1:], row[1:], strict=True)) for row in rows}


def write_table(cells: dict[str, dict[str, str]], columns: list[str]) -> None:
    """Puts the cells in place of what stands there."""
    text = DOCUMENT.read_text()
    lines = ["| platform | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    lines += [
        f"| {row} | " + " | ".join(found.get(name, "") for name in columns) + " |" for row, found in cells.items()
    ]
    before, after = text[: text.index(_BEGIN) + len(_BEGIN)], text[text.index(_END) :]
    DOCUMENT.write_text(before + "\n".join(lines) + "\n" + after)
