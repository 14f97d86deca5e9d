"""The places that keep archives: a folder, or an object store and whatever else fsspec knows."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Protocol

from birthday_cli.errors import BdayschedError, UsageError, redact


class Store(Protocol):
    """A place for files. What goes wrong there is a BdayschedError that says where."""

    def address(self, name: str) -> str:
        """Return where the file called name is, with no password in it."""

    def read(self, name: str) -> bytes | None:
        """Return a small file whole; None if it is not there."""

    def fetched(self, name: str) -> AbstractContextManager[Path]:
        """Yield a file as one of this machine."""

    def draft(self, name: str) -> AbstractContextManager[Path]:
        """Yield the path for a new file, which comes to be there, whole, once the block ends well.

        It lies in a folder of this machine, and may be written and read; others may not read it.
        """

    def remove(self, name: str) -> None:
        """Remove a file, and what a killed run left of its draft; nothing, if it is not there."""


def at(where: str) -> Store:
    """Return the place that where names: a path, or a URL such as s3://bucket/prefix.

    Raises UsageError when what reads such a URL is not installed.
    """
    scheme, separator, rest = where.partition("://")
    if separator and scheme != "file":
        return _Remote(where)
    return _Folder(Path(rest if separator else where))


def split(file: str) -> tuple[str, str]:
    """Return where a file lies, for `at`, and its name."""
    address, mark, options = file.partition("?")
    folder, slash, name = address.rpartition("/")
    return (folder or slash or ".") + mark + options, name


class _Folder:
    def __init__(self, path: Path) -> None:
        self._path = path.absolute()

    def address(self, name: str) -> str:
        return str(self._path / name)

    def read(self, name: str) -> bytes | None:
        with _explained(self.address(name)):
            try:
                return (self._path / name).read_bytes()
            except (FileNotFoundError, NotADirectoryError):
                return None

    @contextmanager
    def fetched(self, name: str) -> Iterator[Path]:
        with _explained(self.address(name)):
            (self._path / name).open("rb").close()
        yield self._path / name

    @contextmanager
    def draft(self, name: str) -> Iterator[Path]:
        path = self._part(name)
        with _explained(self.address(name)):
            self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                yield path
                _keep(path)
                path.replace(self._path / name)
                _keep(self._path)
            finally:
                path.unlink(missing_ok=True)

    def remove(self, name: str) -> None:
        with _explained(self.address(name)):
            (self._path / name).unlink(missing_ok=True)
            self._part(name).unlink(missing_ok=True)

    def _part(self, name: str) -> Path:
        return self._path / f".{name}.part"


def _keep(path: Path) -> None:
    """Have the system write a file, or the names in a folder, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class _Remote:
    """An object store. A file is there when all of it is, as its manifest is written after it."""

    def __init__(self, url: str) -> None:
        self._url, self._mark, self._options = url.partition("?")
        try:
            from pyarrow import fs
        except ImportError as problem:
            raise UsageError(
                f"{redact(url)} is no folder, and what reads it is not installed:"
                " pip install 'bdaysched[archive]', or name a folder"
            ) from problem
        with _explained(redact(url)):
            self._files, self._path = _file_system(fs, url)

    def address(self, name: str) -> str:
        return redact(f"{self._url.rstrip('/')}/{name}{self._mark}{self._options}")

    def _path_of(self, name: str) -> str:
        return f"{self._path.rstrip('/')}/{name}"

    def read(self, name: str) -> bytes | None:
        with _explained(self.address(name)):
            if not self._files.get_file_info(self._path_of(name)).is_file:
                return None
            with self._files.open_input_stream(self._path_of(name)) as stream:
                return bytes(stream.read())

    @contextmanager
    def fetched(self, name: str) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="bdaysched-") as folder:
            path = Path(folder) / name
            with (
                _explained(self.address(name)),
                self._files.open_input_stream(self._path_of(name)) as stream,
                path.open("wb") as copy,
            ):
                shutil.copyfileobj(stream, copy)
            yield path

    @contextmanager
    def draft(self, name: str) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="bdaysched-") as folder:
            path = Path(folder) / name
            yield path
            with (
                _explained(self.address(name)),
                path.open("rb") as copy,
                self._files.open_output_stream(self._path_of(name)) as stream,
            ):
                shutil.copyfileobj(copy, stream)

    def remove(self, name: str) -> None:
        with _explained(self.address(name)):
            if self._files.get_file_info(self._path_of(name)).is_file:
                self._files.delete_file(self._path_of(name))


def _file_system(fs: Any, url: str) -> tuple[Any, str]:
    """Return the file system of a URL, and the path in it: pyarrow's own, or fsspec's."""
    from pyarrow import ArrowInvalid

    try:
        files, path = fs.FileSystem.from_uri(url)
    except ArrowInvalid:
        import fsspec

        found, path = fsspec.url_to_fs(url)
        files = fs.PyFileSystem(fs.FSSpecHandler(found))
    return files, path


@contextmanager
def _explained(address: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, ImportError) as problem:
        said = getattr(problem, "strerror", None) or " ".join(str(problem).split())
        raise BdayschedError(f"{address}: {said}") from problem
