"""Tables as text, for a terminal and as Markdown; a number with its noun."""

from collections.abc import Iterable, Sequence


def grid(cells: Sequence[Sequence[str]]) -> str:
    """A table for a terminal, head first: the first column is aligned left, the others right."""
    widths = [max(len(row[i]) for row in cells) for i in range(len(cells[0]))]

    def line(row: Sequence[str]) -> str:
        rest = (text.rjust(w) for text, w in zip(row[1:], widths[1:], strict=True))
        return "  ".join([row[0].ljust(widths[0]), *rest]).rstrip()

    rule = "─" * (sum(widths) + 2 * (len(widths) - 1))
    return "\n".join([line(cells[0]), rule, *(line(row) for row in cells[1:])])


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    rule = "|" + "---|" * len(head)
    return "\n".join([_markdown_row(head), rule, *(_markdown_row(row) for row in rows)])


def _markdown_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def counted(n: int, noun: str) -> str:
    """A number with its noun: "1 image", "12 images"."""
    return f"1 {noun}" if n == 1 else f"{n} {noun}s"
