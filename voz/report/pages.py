"""Fill a page's template, in the current language.

What several pages share lies beside this file: the style, the players, the blind test.
"""

import json
import re
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup, escape

from voz.pipeline import language
from voz.pipeline.language import tr

SHARED = Path(__file__).parent
_WORDS = re.compile(r"""\btr\(\s*("(?:[^"\\]|\\.)*")""")  # the messages of a script


def render(template: Path, values: dict[str, Any]) -> str:
    """The page. Names and texts come from strangers, so everything that is not Markup is escaped.

    Args:
        template: may include the shared files of this folder, by name.
    """
    loader = jinja2.FileSystemLoader([template.parent, SHARED])
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, loader=loader, extensions=["jinja2.ext.i18n"]
    )
    environment.install_gettext_callables(tr, language.plural, newstyle=True)  # type: ignore[attr-defined]  # of the extension
    environment.globals |= {"tr": tr, "language": language.current(), "words": _words()}
    environment.filters["code"] = code
    environment.policies["json.dumps_kwargs"] = {"sort_keys": False}  # `tojson` keeps the order of the voices
    return environment.get_template(template.name).render(values)


def code(text: str) -> Markup:
    """A message as HTML: what is between `backticks` is code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def _words() -> dict[str, str]:
    """The messages of the shared scripts, by their English text."""
    found = (json.loads(each) for path in sorted(SHARED.glob("*.js")) for each in _WORDS.findall(path.read_text(encoding="utf-8")))
    return {message: tr(message) for message in found}
