"""Add a remote, make it the default, and let DVC verify what it fetches from it.

    python -m tools.remotes.add URL [--name store]        (`make remote URL=/media/backup/voz`, ssh://..., s3://..., webdavs://...)

Writes .dvc/config. Credentials do not belong there: git would publish them.
"""

import argparse
import importlib.util
from pathlib import Path
from urllib.parse import urlsplit

from tools.dvc_command import dvc
from voz.pipeline import command
from voz.pipeline.command import UserError
from voz.pipeline.language import later, tr

CLIENTS = {"ssh": "dvc_ssh", "s3": "dvc_s3", "webdav": "dvc_webdav", "webdavs": "dvc_webdav"}  # of requirements-remotes.txt
OTHERS = ("gs", "azure", "oss", "gdrive", "hdfs", "http", "https")  # DVC has clients for them: dvc[gs]
NAME = "store"  # of a remote that is not given another


def address(url: str) -> str:
    """The address as it goes into the config: a local path becomes absolute.

    Raises:
        UserError: it holds a password, DVC cannot write it, its client is not installed, or the folder is in this repository.
    """
    if not url.isascii():
        fix = later("give it another name, or a link with one: `ln -s PLACE /srv/voz`")
        raise UserError(
            "{url}: DVC cannot write ñ, accents or other letters beyond ASCII into its config (it empties the file)", fix, url=url
        )
    parts = urlsplit(url)
    if "://" not in url:
        return str(_local(url))
    if parts.password:
        fix = later("leave it out and run `dvc remote modify --local NAME password ...`: that file stays here")
        raise UserError("the address holds a password, which git would publish", fix)
    client = CLIENTS.get(parts.scheme)
    if client and importlib.util.find_spec(client) is None:
        raise UserError("{scheme}: its client is not installed", "`.venv/bin/pip install -r requirements-remotes.txt`", scheme=parts.scheme)
    if not client and parts.scheme not in OTHERS:
        raise UserError(
            "{url}: unknown kind of remote {scheme!r}",
            "choose a folder, or one of {kinds}",
            url=url,
            scheme=parts.scheme,
            kinds=", ".join(CLIENTS),
        )
    return url


def _local(url: str) -> Path:
    path = Path(url).expanduser().resolve()
    if path.is_relative_to(Path.cwd()):
        raise UserError("{url}: inside this checkout", "choose a folder on another disk", url=url)
    if not path.parent.is_dir():
        raise UserError("{folder}: missing", "create it, or mount the disk", folder=path.parent)
    return path


def main() -> None:
    args = parse_args()
    url, name = address(args.url), args.name or NAME
    fix = tr("`dvc remote list` shows those there are; REMOTE=... names another")
    dvc("remote", "add", "--default", name, url, fix=fix)
    dvc("remote", "modify", name, "verify", "true", fix=fix)
    print(tr("remote {name}: {url}, the default; what is fetched from it is verified", name=name, url=url))
    print(tr("credentials, if it needs any, stay on this machine: `dvc remote modify --local {name} ...` (docs/remotes.md)", name=name))
    print(tr('then: git commit -m "Remote" .dvc/config && make push'))


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", help="a folder, ssh://..., s3://..., webdavs://...")
    parser.add_argument("--name", default="", help=f"of the remote (default: {NAME})")
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
