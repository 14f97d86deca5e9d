"""One request at a time, over a handle of libcurl's that is set up once."""

from __future__ import annotations

import ssl

import pycurl

from birthday_cli import __version__
from birthday_cli.channels import tls

_MOST_READ = 65_536
_END_OF_HEAD = ([b"\r\n"], [b"\n"])


class Post:
    """Posts to url, one request after the other.

    `head` and `body` are what came of the answer: its lines, and 65,536 bytes at most.
    """

    def __init__(self, url: str, papers: tls.Papers) -> None:
        self._unsent = b""
        self.head: list[bytes] = []
        self.body = b""
        self.curl = curl = pycurl.Curl()
        for option, value in {
            pycurl.URL: url,
            pycurl.POST: True,
            pycurl.PROTOCOLS: pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS,
            pycurl.HTTP_VERSION: pycurl.CURL_HTTP_VERSION_1_1,
            pycurl.USERAGENT: f"bdaysched/{__version__}",
            pycurl.NOSIGNAL: True,
            pycurl.PROXY: "",
            pycurl.READFUNCTION: self._read,
            # When a kept connection dies without an answer, libcurl sends the request again by
            # itself, unless it cannot have the body once more.
            pycurl.SEEKFUNCTION: lambda _, __: pycurl.SEEKFUNC_FAIL,
            pycurl.HEADERFUNCTION: self.head.append,
            pycurl.WRITEFUNCTION: self._write,
            pycurl.SSLVERSION: pycurl.SSLVERSION_TLSv1_2,
            **_trust(papers),
        }.items():
            curl.setopt(option, value)

    def prepare(self, headers: list[str], body: bytes) -> None:
        """Make this the next request."""
        self._unsent = body
        self.head.clear()
        self.body = b""
        self.curl.setopt(pycurl.HTTPHEADER, headers)
        self.curl.setopt(pycurl.POSTFIELDSIZE, len(body))

    @property
    def status(self) -> int:
        """The status of an answer whose headers came whole, or 0; its body may be broken.

        libcurl calls it success when a connection is closed within the headers.
        """
        status: int = self.curl.getinfo(pycurl.RESPONSE_CODE)
        if status >= 200 and (self.body or self.head[-1:] in _END_OF_HEAD):
            return status
        return 0

    def _read(self, size: int) -> bytes:
        part, self._unsent = self._unsent[:size], self._unsent[size:]
        return part

    def _write(self, part: bytes) -> int:
        # More than is recorded: an answer that is read to its end leaves the connection fit for
        # use. A longer one is broken off.
        taken = part[: _MOST_READ - len(self.body)]
        self.body += taken
        return len(taken)


def _trust(papers: tls.Papers) -> dict[int, object]:
    found: dict[int, object] = {}
    if papers.ca:
        found[pycurl.CAINFO_BLOB] = papers.ca.encode()
    else:
        # The libcurl of pycurl's wheel looks where the system that built it keeps them.
        system = ssl.get_default_verify_paths()
        # From one file libcurl reads them once, from a folder for each connection.
        if system.cafile:
            found[pycurl.CAINFO] = system.cafile
        elif system.capath:
            found[pycurl.CAPATH] = system.capath
    if papers.certificate:
        found[pycurl.SSLCERT_BLOB] = papers.certificate.encode()
        found[pycurl.SSLKEY_BLOB] = (papers.key or papers.certificate).encode()
    return found
