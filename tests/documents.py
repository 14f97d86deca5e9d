"""README and docs/ as what a reader may run: their fenced blocks, and the commands in their text.

A block is `sh` if it runs here as it stands. What cannot be run here is `console`, with `$` before
what anyone types and `#` before what root does; each such line is listed with its reason in
tests/acceptance/test_documents.py. A `text` block right below an `sh` block is what that prints,
with `…` for what differs.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = [
    str(path.relative_to(ROOT))
    for path in [
        ROOT / "README.md",
        *sorted((ROOT / "docs").rglob("*.md")),
        *sorted((ROOT / "deploy").rglob("*.md")),
    ]
]
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```\n", re.DOTALL | re.MULTILINE)
_OUTPUT = re.compile(r"\n```text\n(.*?)^```\n", re.DOTALL | re.MULTILINE)
_SECONDS = 300


@dataclass(frozen=True)
class Block:
    """A fenced block: its kind, the line that it begins in, and what it prints, if that is said."""

    kind: str
    text: str
    line: int
    output: str | None = None


def blocks(page: str) -> list[Block]:
    """Return the fenced blocks of page in order."""
    text = read(page)
    found = []
    for match in _FENCE.finditer(text):
        below = _OUTPUT.match(text, match.end()) if match[1] == "sh" else None
        line = text.count("\n", 0, match.start()) + 1
        found.append(Block(match[1], match[2], line, below[1] if below else None))
    return found


def read(page: str) -> str:
    return (ROOT / page).read_text()


def typed(block: Block) -> list[str]:
    """Return what is typed in a console block, without the comments."""
    lines = [line[2:] for line in block.text.splitlines() if line.startswith(("$ ", "# "))]
    return list(map(without_comment, lines))


def without_comment(line: str) -> str:
    """Return a line of shell without the comment at its end."""
    return re.sub(r"\s+#.*", "", line)


def inline(page: str) -> list[str]:
    """Return what stands in the text as code, also in tables."""
    prose = _FENCE.sub("", read(page))
    return [" ".join(code.split()) for code in re.findall(r"`([^`]+)`", prose)]


def run(
    page: str,
    environment: Mapping[str, str],
    instead: Mapping[str, str],
    is_reference: bool = False,
) -> None:
    """Run the `sh` blocks of page in order, as one person in one shell and in this folder.

    `instead` has what this machine uses in the place of something that the page names. Of a
    reference, whose blocks need none before them, a line that comes again is run once. Fails with
    the block, the command and what it said.
    """
    ours = [block for block in blocks(page) if block.kind == "sh"]
    if is_reference:
        lines = [line for block in ours for line in block.text.splitlines()]
        ours = [Block("sh", line, 0) for line in dict.fromkeys(lines)]
    for word in instead:
        assert any(word in block.text for block in ours), f"{page} does not name {word}"
    script = [
        "set -eu",
        """trap 'printf "\\nended with %s: %s\\n" $? "$BASH_COMMAND"' ERR""",
        "trap 'kill $(jobs -p) 2>&- || :; wait' EXIT",
    ]
    for number, block in enumerate(ours):
        script += [f"exec >.out.{number} 2>&1", _replaced(block.text, instead)]
    done = subprocess.run(
        ["bash", "-c", "\n".join(script)],
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        timeout=_SECONDS,
        check=False,
    )
    for number, block in enumerate(ours):
        where = f"{page}, line {block.line}"
        written = Path(f".out.{number}")
        assert written.exists(), where
        said = written.read_text()
        is_last = not Path(f".out.{number + 1}").exists()
        assert not (is_last and done.returncode), f"{where}: {said}"
        assert "Traceback" not in said, f"{where}: {said}"
        if block.output is not None:
            expected = _replaced(block.output, instead)
            pattern = re.escape(expected.rstrip()).replace("…", ".*")
            assert re.fullmatch(pattern, said.rstrip()), f"{where}: {said}"


def _replaced(text: str, instead: Mapping[str, str]) -> str:
    for word, other in instead.items():
        text = text.replace(word, other)
    return text
