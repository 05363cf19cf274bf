"""Fill a page's template. What several pages share lies beside this file: the style, the players, the blind test."""

from pathlib import Path
from typing import Any

import jinja2

SHARED = Path(__file__).parent


def render(template: Path, values: dict[str, Any]) -> str:
    """The page. Names and texts come from strangers, so everything that is not Markup is escaped.

    Args:
        template: may include the shared files of this folder, by name.
    """
    loader = jinja2.FileSystemLoader([template.parent, SHARED])
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, loader=loader)
    environment.policies["json.dumps_kwargs"] = {"sort_keys": False}  # `tojson` keeps the order of the voices
    return environment.get_template(template.name).render(values)
