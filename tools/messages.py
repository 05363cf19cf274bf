"""Bring the Spanish catalogue in line with the code: new messages are added without a translation, unused ones are removed.

    python -m tools.messages [--check]        (`make messages`; tests/test_language.py checks the same)

Reads   voz/, stages/, tools/ (calls of `tr`, `plural`, `later` and `UserError`; templates; scripts of pages), Makefile (its help)
Writes  voz/locale/es/LC_MESSAGES/voz.po, which people edit, and voz.mo, which gettext reads

Exit status: 0 every message has a translation, 2 some lack one: they are named.
"""

import argparse
import ast
import io
import re
import string
from collections.abc import Iterator
from pathlib import Path

from babel.messages import extract, mofile, pofile
from babel.messages.catalog import Catalog

from tools.help import described
from voz.pipeline import command, files, language
from voz.pipeline.command import UserError

ROOT = Path(__file__).parent.parent
PO = language.FOLDER / "es" / "LC_MESSAGES" / f"{language.DOMAIN}.po"
FUNCTIONS: dict[str, tuple[int | str, ...]] = {  # which arguments are messages
    "tr": (0,),
    "later": (0,),
    "plural": (0, 1),
    "UserError": (0, 1),
    "Figure": (0, 1, 5),
    "Filter": ("why",),
    **dict.fromkeys(("progress", "map", "map_batches", "speak", "speak_parts", "speak_once", "texts"), ("label", "unit")),  # of bars
    **dict.fromkeys(("clip_losses", "analyse_lines", "voice_embeddings", "signal_quality", "_of_each", "_each"), ("label",)),
}
IN_TEMPLATES = {"tr": None, "gettext": None, "ngettext": (1, 2)}
HEADER = """# The Spanish of Buenos Aires (voseo, sober) for voz. `make messages` adds new messages; people write the translations.
#"""

_PLACEHOLDER = re.compile(r"\{\w*(![rs])?(:[^}]*)?\}")

Message = str | tuple[str, str]


def of_python(source: str) -> Iterator[Message]:
    """The messages of a module. Texts that hold nothing but placeholders need no translation."""
    for name, arguments in _calls(source):
        if name == "plural":
            one, many = (next(_texts(each)) for each in arguments)
            yield one, many
        else:
            yield from (text for each in arguments for text in _texts(each) if re.search(r"[^\W\d_]{2}", _PLACEHOLDER.sub("", text)))


def f_strings(source: str) -> list[int]:
    """The lines of a module in which a message is an f-string, which no catalogue can hold."""
    return [each.lineno for _, arguments in _calls(source) for each in arguments if isinstance(each, ast.JoinedStr)]


def _calls(source: str) -> Iterator[tuple[str, list[ast.expr]]]:
    """Each call of one of FUNCTIONS: its name, and the arguments that are messages."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id if isinstance(node.func, ast.Name) else ""
        given: dict[int | str, ast.expr] = {**dict(enumerate(node.args)), **{each.arg: each.value for each in node.keywords if each.arg}}
        yield name, [given[each] for each in FUNCTIONS.get(name, ()) if each in given]


def _texts(node: ast.expr) -> Iterator[str]:
    """A literal, or the literals that an expression chooses from."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from (*_texts(node.body), *_texts(node.orelse))


def of_page(path: Path) -> Iterator[Message]:
    """The messages of a template or of a page's script."""
    method = "javascript" if path.suffix == ".js" else "jinja2.ext:babel_extract"
    keywords = {"tr": None} if path.suffix == ".js" else IN_TEMPLATES
    options = {"trimmed": "true", "newstyle_gettext": "true", "silent": "false"}
    with path.open("rb") as file:
        for _, text, _, _ in extract.extract(method, file, keywords, options=options):
            yield text if isinstance(text, str) else (text[0], text[1])


def wanted() -> Catalog:
    """Every message of the repository, in the order of the files, without translations."""
    catalogue = Catalog(locale="es", domain=language.DOMAIN, project="voz", version="", fuzzy=False)
    for path in _sources():
        name = path.relative_to(ROOT).as_posix()
        found: Iterator[Message] = iter(())
        if path.suffix == ".py":
            found = of_python(path.read_text(encoding="utf-8"))
        elif path.suffix in (".j2", ".js"):
            found = of_page(path)
        for message in found:
            catalogue.add(message, locations=[(name, 1)])
    for message in described((ROOT / "Makefile").read_text(encoding="utf-8")).values():
        catalogue.add(message, locations=[("Makefile", 1)])
    return catalogue


def _sources() -> list[Path]:
    return sorted(path for folder in ("voz", "stages", "tools") for path in (ROOT / folder).rglob("*"))


def unmarked() -> list[str]:
    """The places of messages that are f-strings, each as a line."""
    modules = {path.relative_to(ROOT): path.read_text(encoding="utf-8") for path in _sources() if path.suffix == ".py"}
    return [
        f"{path}:{line}: an f-string: write {{name}} in it and name=... after it"
        for path, text in modules.items()
        for line in f_strings(text)
    ]


def updated(old: Catalog) -> Catalog:
    """The wanted messages with their translations. The dates in the header stay: the same code gives the same file."""
    new = wanted()
    new.header_comment, new.creation_date, new.revision_date = HEADER, old.creation_date, old.revision_date
    for message in new:
        known = old.get(message.id) if message.id else None
        if known:
            message.string = known.string
    return new


def placeholders(text: str) -> set[str]:
    """The names in `{name}` and `%(name)s`."""
    try:
        names = {name.partition(".")[0].partition("[")[0] for _, name, _, _ in string.Formatter().parse(text) if name is not None}
    except ValueError:  # a brace that is no placeholder
        names = set()
    return names | set(re.findall(r"%\((\w+)\)s", text))


def problems(catalogue: Catalog) -> list[str]:
    """The messages that have no translation, or one with other placeholders, each as a line."""
    found = []
    for message in catalogue:
        if not message.id:
            continue
        ids, strings = ((each,) if isinstance(each, str) else tuple(each or ()) for each in (message.id, message.string))
        if not strings or not all(strings):
            found.append(f"not translated: {ids[0]}")
        elif {name for each in ids for name in placeholders(each)} != {name for each in strings for name in placeholders(each)}:
            found.append(f"other placeholders: {ids[0]}")
    return found


def read() -> Catalog:
    """The catalogue as it is."""
    with PO.open("rb") as file:
        return pofile.read_po(file, locale="es", domain=language.DOMAIN)


def as_po(catalogue: Catalog) -> bytes:
    """The text that people edit. File names without lines: a moved line changes nothing."""
    out = io.BytesIO()
    pofile.write_po(out, catalogue, width=0, include_lineno=False, ignore_obsolete=True)
    return out.getvalue()


def as_mo(catalogue: Catalog) -> bytes:
    """What gettext reads."""
    out = io.BytesIO()
    mofile.write_mo(out, catalogue)
    return out.getvalue()


def main() -> None:
    args = parse_args()
    catalogue = updated(read())
    if not args.check:
        for path, content in ((PO, as_po(catalogue)), (PO.with_suffix(".mo"), as_mo(catalogue))):
            with files.atomic(path) as file:
                file.write(content)
    found = [*unmarked(), *problems(catalogue)]
    print("\n".join(found) or f"{PO.relative_to(ROOT)}: {len(catalogue)} messages, all translated")
    if found:
        raise UserError(
            "{count} messages need a translation",
            "mend the lines above in the code, or write them in {po}; then `make messages`",
            count=len(found),
            po=PO.relative_to(ROOT),
        )


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing")
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
