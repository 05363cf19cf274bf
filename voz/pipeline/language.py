"""The language of what people read: English, or Spanish where the user's locale or VOZ_LANG says so.

What is printed, and pages that are opened from a running server, follow the user. What DVC versions (the report, the model card)
follows `language` in params.yaml, so that the same commit gives the same bytes in every shell: see `used`. Reason codes, names of
scores and keys of files are in English always.

The catalogue is voz/locale/es/LC_MESSAGES/voz.po; `make messages` brings it in line with the code and compiles it.
"""

from __future__ import annotations  # tools/system.py runs on old versions of Python, to say that they are too old

import functools
import gettext
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

LANGUAGES = ("en", "es")
FOLDER = Path(__file__).parent.parent / "locale"
DOMAIN = "voz"
_used: ContextVar[str] = ContextVar("language", default="")


def of_user(environment: Mapping[str, str] = os.environ) -> str:
    """One of LANGUAGES, by the first of VOZ_LANG, LC_ALL, LC_MESSAGES and LANG that is set; "en" for any other language."""
    names = (environment.get(name) for name in ("VOZ_LANG", "LC_ALL", "LC_MESSAGES", "LANG"))
    first = next((name for name in names if name), "")
    return "es" if first.lower().split(".")[0].split("_")[0] == "es" else "en"


@contextmanager
def used(name: str) -> Iterator[None]:
    """Within the block, one of LANGUAGES whatever the user's is."""
    token = _used.set(name)
    try:
        yield
    finally:
        _used.reset(token)


def current() -> str:
    """The language that `tr` translates into."""
    return _used.get() or of_user()


def tr(message: str, /, **values: object) -> str:
    """A message in the current language, with its `{placeholders}` filled in.

    Args:
        message: a literal in English: `make messages` finds it. Without values, braces are left as they are.
    """
    translated = _catalogue(current()).gettext(message) if message else ""
    return translated.format(**values) if values else translated


def plural(one: str, many: str, count: int, /, **values: object) -> str:
    """`one` for a count of 1, else `many`, as `tr`; both may hold `{count}`."""
    return _catalogue(current()).ngettext(one, many, count).format(count=count, **values)


def later(message: str, /) -> str:
    """The message itself: it is in a table and is translated where it is shown, by `tr`."""
    return message


@functools.lru_cache
def _catalogue(name: str) -> gettext.NullTranslations:
    return gettext.translation(DOMAIN, FOLDER, [name], fallback=True)
