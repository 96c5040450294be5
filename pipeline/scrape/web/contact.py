"""Whom a site's operator can write to: what a contact is, which sites demand one, where the user's own is kept."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import urlsplit

from curate.pipeline.core.errors import UsageError
from curate.pipeline.core.files import NOT_THERE, atomic_write, reading

# Hosts, with all below them, whose operator demands one of every program (foundation.wikimedia.org, User-Agent policy).
DEMANDING = tuple(f"{name}.org" for name in "wikimedia wikipedia wikidata wiktionary wikisource mediawiki".split())

_MAIL = re.compile(r"(?P<local>[^\s@<>()]+)@(?P<host>[^\s@<>()/]+)")
_HOST = re.compile(r"([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]", re.IGNORECASE)
_RESERVED = re.compile(r"(^|\.)(example\.(com|org|net|edu)|example|test|invalid|localhost|local)$", re.IGNORECASE)
_NOBODY = re.compile(
    r"x+|you|your|your[._-]?(name|e?mail|contact|address)|user|username|someone|name|e?mail", re.IGNORECASE
)
_YOURS = re.compile(r"(.*\.)?(your|my)-?(domain|site|website|company|mail|email|name|host)\.[a-z]+", re.IGNORECASE)
UNKNOWN = (
    "sites are asked under the tool's own name alone; so that their operators can write to you, tell them who you are: "
    "--contact MAIL_OR_URL   (or scrape.contact in params.yaml)"
)
HINT = "your own: --contact MAIL_OR_URL   (or scrape.contact in params.yaml)"


def problem(contact: str) -> str | None:
    """What is wrong with `contact` wherever it is shown, or None: it is a mail address or a URL, in plain ASCII."""
    text = contact.strip()
    if not (text.isascii() and text.isprintable()):
        return "a contact is a mail address or a URL in plain ASCII"
    host = _host_of(text)
    if host is None or not _HOST.fullmatch(host):
        return f"'{text}' is no contact: neither a mail address nor a URL"
    return None


def stands_in(contact: str) -> bool:
    """Whether `contact` is a placeholder, which reaches nobody: you@..., ...@example.org, http://your-site.com."""
    text = contact.strip()
    mail, host = _MAIL.fullmatch(text.removeprefix("mailto:")), _host_of(text) or ""
    nobody = mail is not None and _NOBODY.fullmatch(mail["local"]) is not None
    return nobody or bool(_RESERVED.search(host) or _YOURS.fullmatch(host))


def usable(contact: str | None) -> bool:
    """Whether an operator can reach somebody by `contact`."""
    return contact is not None and problem(contact) is None and not stands_in(contact)


def demanded(host: str) -> bool:
    """Whether the operator of `host` demands one."""
    return any(host == name or host.endswith(f".{name}") for name in DEMANDING)


def checked(contact: str, *, public: bool = True) -> str:
    """`contact`, tidied. Raises UsageError for what is none and, on the `public` web, for a placeholder."""
    if said := problem(contact):
        raise UsageError(said, HINT)
    if public and stands_in(contact):
        raise UsageError(f"'{contact.strip()}' is a placeholder: nobody can be reached by it", HINT)
    return contact.strip()


def file() -> Path:
    """Where the user's own is kept, for every project."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "curate" / "contact"


def kept() -> str | None:
    """The contact in the user's file, or None. Raises UsageError, which names the file, for one that cannot be used."""
    try:
        with reading(file()):
            text = file().read_text("utf-8").strip()
    except (*NOT_THERE, UnicodeDecodeError):
        return None
    if text and not usable(text):
        raise UsageError(f"{file()}: '{text[:80]}' is no contact that reaches anybody", "mend the file, or remove it")
    return text or None


def keep(contact: str) -> Path:
    """Keeps `contact` for later runs, readable by its owner alone, and returns where."""
    path = file()
    with atomic_write(path) as temporary:
        temporary.write_text(contact + "\n", "utf-8")
        temporary.chmod(0o600)
    return path


def _host_of(text: str) -> str | None:
    if mail := _MAIL.fullmatch(text.removeprefix("mailto:")):
        return mail["host"]
    if set(text) & set(" @"):
        return None
    try:
        return urlsplit(text if "://" in text else f"https://{text}").hostname
    except ValueError:
        return None
