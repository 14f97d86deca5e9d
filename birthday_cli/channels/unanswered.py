"""What a request without an answer means, from what libcurl tells of its end."""

from __future__ import annotations

import os
import re
from typing import cast

import pycurl

from birthday_cli.channels.text import one_line
from birthday_cli.domain.retry import Outcome, OutcomeClass

# X509_V_ERR_… of OpenSSL: self-signed, or from an authority that is not known.
_OF_A_STRANGER = {18, 19, 20, 21}
_REFUSED_CERTIFICATE = re.compile(
    r"alert ((?:bad|unsupported) certificate"
    r"|certificate (?:required|revoked|expired|unknown)|unknown ca|access denied)"
)
# What libcurl makes of the alert that the client's certificate has expired.
_EXPIRED = "SSL certificate verification failed"
_PREFIX = re.compile(r"^SSL(?: certificate problem| certificate OpenSSL verify result)?: ")
_NOT_HTTP = {pycurl.E_UNSUPPORTED_PROTOCOL, pycurl.E_FTP_WEIRD_SERVER_REPLY}
# The second is libcurl's attempt to send the request again, which it may not.
_HUNG_UP = {pycurl.E_GOT_NOTHING, pycurl.E_SEND_FAIL_REWIND}


def unanswered(
    problem: pycurl.error, curl: pycurl.Curl, authority: str, has_certificate: bool
) -> Outcome:
    """Return the outcome of a transfer that ended with problem.

    Once a byte of the request was written, it is ambiguous. In TLS 1.3 a client may write before
    the server has looked at its certificate; a server that refuses it has read nothing.
    """
    code, text = cast("tuple[int, str]", problem.args)
    refused = _REFUSED_CERTIFICATE.search(text)
    if curl.getinfo(pycurl.REQUEST_SIZE) and not refused:
        return Outcome(OutcomeClass.AMBIGUOUS, error=one_line(_answer(code, text, curl, authority)))
    ours = "it does not accept our certificate (DELIVERY_CERT)"
    wanted = "it wants a client certificate (DELIVERY_CERT and DELIVERY_KEY)"
    if refused or text == _EXPIRED:
        why = refused[1] if refused else "certificate expired"
        text = f"{ours if has_certificate else wanted}: {why}"
    elif code == pycurl.E_PEER_FAILED_VERIFICATION:
        text = f"the server's certificate is not accepted: {_PREFIX.sub('', text)}"
        if curl.getinfo(pycurl.SSL_VERIFYRESULT) in _OF_A_STRANGER:
            text += "; DELIVERY_CA may name the authority that signed it"
    elif "handshake failure" in text or curl.getinfo(pycurl.APPCONNECT_TIME):
        text += f"; perhaps {ours if has_certificate else wanted}"
    elif code == pycurl.E_COULDNT_CONNECT and (number := curl.getinfo(pycurl.OS_ERRNO)):
        text = os.strerror(number)
    return Outcome(OutcomeClass.TRANSIENT, error=one_line(f"cannot connect to {authority}: {text}"))


def found_dead(problem: pycurl.error, curl: pycurl.Curl) -> bool:
    """Return whether a kept connection had died before anything was written to it."""
    return problem.args[0] == pycurl.E_SEND_FAIL_REWIND and not curl.getinfo(pycurl.REQUEST_SIZE)


def timed_out(curl: pycurl.Curl, authority: str, seconds: float) -> Outcome:
    """Return the outcome of a transfer that was broken off after so many seconds."""
    if curl.getinfo(pycurl.REQUEST_SIZE):
        kind, missing = OutcomeClass.AMBIGUOUS, "answer"
    else:
        kind, missing = OutcomeClass.TRANSIENT, "connection"
    return Outcome(kind, error=one_line(f"no {missing} from {authority} within {seconds:g} s"))


def _answer(code: int, text: str, curl: pycurl.Curl, authority: str) -> str:
    if code in _HUNG_UP or "unexpected eof" in text:
        return f"{authority} closed the connection without an answer"
    if code in _NOT_HTTP:
        return f"{authority} did not answer in HTTP: {text}"
    number = curl.getinfo(pycurl.OS_ERRNO)
    return f"no answer from {authority}: {os.strerror(number) if number else text}"
