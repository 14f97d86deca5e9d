"""SQL text, taken apart into statements as PostgreSQL's lexer has it, and a migration's parts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

NO_TRANSACTION = "-- bdaysched: no-transaction"
VERIFY = "-- verify"

# A byte above 127 may be part of any name.
_NAME = r"[A-Za-z_\x80-\U0010ffff][A-Za-z0-9_$\x80-\U0010ffff]*"
_TOKEN = re.compile(
    rf"""
    (?P<space>[ \t\n\r\f\v]+)
    | (?P<comment>--[^\n\r]*)
    | (?P<block>/\*)
    | (?P<escaped>[eE]')
    | (?P<string>(?:[bBxXnN]|[uU]&)?')
    | (?P<quoted>(?:[uU]&)?")
    | (?P<dollar>\$(?:[A-Za-z_\x80-\U0010ffff][A-Za-z0-9_\x80-\U0010ffff]*)?\$)
    | (?P<name>{_NAME})
    | (?P<number>[0-9][0-9A-Za-z_.]*)
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_BLOCK_EDGE = re.compile(r"/\*|\*/")
# Possessive: what is doubled is never taken apart again to find an end.
_REST_OF_STRING = re.compile(r"(?:[^']++|'')*+'")
_REST_OF_ESCAPED = re.compile(r"(?:[^'\\]++|\\.|'')*+'", re.DOTALL)
_REST_OF_QUOTED = re.compile(r'(?:[^"]++|"")*+"')
# A literal goes on behind a line end, with comments between; what is escaped in it stays so.
_CONTINUED = re.compile(
    r"(?:[ \t\f\v]|--[^\n\r]*)*[\n\r](?:[ \t\n\r\f\v]|--[^\n\r]*[\n\r])*'",
)
_BY_SETTING = ("'", "n'", "N'")
_SETS_STRINGS = re.compile(
    r"SET (?:SESSION |LOCAL )?STANDARD_CONFORMING_STRINGS (?:=|TO) '?(?P<value>\w+)'?"
)
_ALMOST_VERIFY = re.compile(r"--\s*verify\s*:?\s*", re.IGNORECASE)
_DIRECTIVE = re.compile(r"--\s*bdaysched\s*:", re.IGNORECASE)
_CLIENT = re.compile(r" (FROM STDIN|TO STDOUT)\b")
# A file is one transaction, which is not the file's to end. Savepoints are its own affair.
_ENDS_TRANSACTION = re.compile(
    r"(BEGIN|START TRANSACTION|COMMIT|END|ROLLBACK|ABORT|PREPARE TRANSACTION)\b"
    r"(?! (WORK |TRANSACTION )?TO )"
)
_NO_SEMICOLON = "the statement that begins here does not end with a semicolon"


class Malformed(ValueError):
    """Text that is no sequence of whole statements, or no migration: where, and why."""

    def __init__(self, text: str, offset: int, why: str) -> None:
        self.line, self.column = position(text, offset)
        self.why = why
        super().__init__(f"line {self.line}, column {self.column}: {why}")


@dataclass(frozen=True)
class Statement:
    """One statement, from its first token to its last, without the semicolon.

    offset counts characters from the start of the whole text, from 0; line and column count from 1.
    tokens are words, names, literals and single signs, as they are written, without comments.
    """

    text: str
    offset: int
    line: int
    column: int
    tokens: tuple[str, ...]

    def begins(self, *words: str) -> bool:
        """Tell whether the first tokens are these words, whatever their case."""
        return tuple(token.upper() for token in self.tokens[: len(words)]) == words


@dataclass(frozen=True)
class Script:
    """What a migration's text says: statements, and the queries that verify them afterwards."""

    statements: tuple[Statement, ...]
    checks: tuple[Statement, ...]
    transactional: bool


class _Token(NamedTuple):
    kind: str
    start: int
    end: int


def position(text: str, offset: int) -> tuple[int, int]:
    """Return line and column, from 1, of the character at offset."""
    before = text.rfind("\n", 0, offset)
    return text.count("\n", 0, offset) + 1, offset - before


def split(text: str, standard_conforming_strings: bool = True) -> list[Statement]:
    """Return the statements of text; each ends with a semicolon.

    Semicolons in literals, quoted names, comments, parentheses and `BEGIN ATOMIC` bodies end
    nothing. Raises Malformed for what has no end: a literal, a comment, a parenthesis, a statement.
    """
    pieces = _pieces(text, standard_conforming_strings)
    return [piece for piece in pieces if isinstance(piece, Statement)]


def parse(text: str) -> Script:
    """Return the parts of a migration.

    Raises Malformed as `split` does, for a file without statements, for two statements in one that
    is no transaction, for a misplaced or mistyped mark, and for `COMMIT` and its like.
    """
    first_line = text.partition("\n")[0].rstrip()
    transactional = first_line != NO_TRANSACTION
    statements: list[Statement] = []
    checks: list[Statement] = []
    into = statements
    for piece in _pieces(text, True):
        if isinstance(piece, Statement):
            into.append(piece)
            continue
        comment = text[piece.start : piece.end]
        if comment == VERIFY and text[piece.start - 1 : piece.start] in ("", "\n"):
            into = checks
        elif _ALMOST_VERIFY.fullmatch(comment):
            raise Malformed(text, piece.start, f"write this line as `{VERIFY}`")
        elif _DIRECTIVE.match(comment) and (piece.start or transactional):
            raise Malformed(text, piece.start, f"only the first line may be `{NO_TRANSACTION}`")
    if not statements:
        raise Malformed(text, 0, "there is no statement")
    if not transactional and len(statements) > 1:
        raise Malformed(
            text, statements[1].offset, "a file that is no transaction holds one statement only"
        )
    for statement in statements + checks:
        words = " ".join(token.upper() for token in statement.tokens[:4]) + " "
        if found := _ENDS_TRANSACTION.match(words):
            why = f"{found[1]} has no place in a migration: a file is one transaction by itself"
            raise Malformed(text, statement.offset, why)
        if statement.begins("COPY") and _CLIENT.search(" ".join(statement.tokens).upper()):
            why = "COPY from or to the client has no place in a migration: write INSERT"
            raise Malformed(text, statement.offset, why)
    return Script(tuple(statements), tuple(checks), transactional)


def _pieces(text: str, standard_strings: bool) -> Iterator[Statement | _Token]:
    """Yield statements, and the comments between them."""
    tokens: list[_Token] = []
    open_at: list[int] = []
    bodies = 0
    lexer = _Lexer(text, standard_strings)
    for token in lexer:
        written = text[token.start : token.end]
        if token.kind in ("space", "comment", "block"):
            if token.kind == "comment" and not tokens:
                yield token
            elif written == VERIFY and text[token.start - 1] == "\n":
                raise Malformed(text, tokens[0].start, _NO_SEMICOLON)
            continue
        if written == ";" and not open_at and not bodies:
            if tokens:
                statement = _statement(text, tokens)
                if found := _SETS_STRINGS.fullmatch(" ".join(statement.tokens).upper()):
                    lexer.standard_strings = found["value"] in ("ON", "TRUE", "YES", "1")
                yield statement
                tokens = []
            continue
        tokens.append(token)
        if written == "(":
            open_at.append(token.start)
        elif written == ")" and open_at:
            open_at.pop()
        elif token.kind == "name" and not open_at:
            bodies += _body_edge(text, tokens, bodies)
    if open_at:
        raise Malformed(text, open_at[-1], "the parenthesis that opens here is not closed")
    if tokens:
        raise Malformed(text, tokens[0].start, _NO_SEMICOLON)


def _statement(text: str, tokens: list[_Token]) -> Statement:
    start, end = tokens[0].start, tokens[-1].end
    line, column = position(text, start)
    written = tuple(text[token.start : token.end] for token in tokens)
    return Statement(text[start:end], start, line, column, written)


def _body_edge(text: str, tokens: list[_Token], depth: int) -> int:
    """Return 1 if the last token opens a level of a routine's body in SQL, -1 if it closes one."""
    words = [text[token.start : token.end].upper() for token in (*tokens[:4], *tokens[-2:])]
    before, word = words[-2:]
    # What follows AS or a dot is a name, whatever it says.
    if word not in ("ATOMIC", "CASE", "END") or before in ("AS", "."):
        return 0
    if depth:
        return {"ATOMIC": 0, "CASE": 1, "END": -1}[word]
    kind = words[3] if words[1:3] == ["OR", "REPLACE"] else words[1]
    is_routine = words[0] == "CREATE" and kind in ("FUNCTION", "PROCEDURE")
    return int(is_routine and (before, word) == ("BEGIN", "ATOMIC"))


class _Lexer:
    """The tokens of text, in order; how literals are read may change between them."""

    def __init__(self, text: str, standard_strings: bool) -> None:
        self.standard_strings = standard_strings
        self._text = text

    def __iter__(self) -> Iterator[_Token]:
        start = 0
        while found := _TOKEN.match(self._text, start):
            kind = found.lastgroup or ""
            end = self._end(kind, found)
            yield _Token(kind, start, end)
            start = end

    def _end(self, kind: str, found: re.Match[str]) -> int:
        if kind == "block":
            return self._end_of_block(found)
        if kind == "dollar":
            end = self._text.find(found[0], found.end())
            if end < 0:
                raise self._unfinished(found, f"the text in {found[0]} that begins here")
            return end + len(found[0])
        if kind == "quoted":
            return self._close(_REST_OF_QUOTED, found, "the quoted name that begins here")
        if kind in ("string", "escaped"):
            plain = kind == "string" and (self.standard_strings or found[0] not in _BY_SETTING)
            rest = _REST_OF_STRING if plain else _REST_OF_ESCAPED
            end = self._close(rest, found, "the quoted text that begins here")
            while more := _CONTINUED.match(self._text, end):
                end = self._close(rest, more, "the quoted text that goes on here")
            return end
        return found.end()

    def _close(self, rest: re.Pattern[str], found: re.Match[str], what: str) -> int:
        closed = rest.match(self._text, found.end())
        if not closed:
            raise self._unfinished(found, what)
        return closed.end()

    def _end_of_block(self, found: re.Match[str]) -> int:
        depth, end = 1, found.end()
        while depth:
            edge = _BLOCK_EDGE.search(self._text, end)
            if not edge:
                raise self._unfinished(found, "the comment that begins here")
            depth += 1 if edge[0] == "/*" else -1
            end = edge.end()
        return end

    def _unfinished(self, found: re.Match[str], what: str) -> Malformed:
        start = found.start() if "begins" in what else found.end() - 1
        return Malformed(self._text, start, f"{what} has no end")
