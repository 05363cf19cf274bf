"""Push to the remote, then ask it for every object that the lock files name, and send again what is missing or damaged.

    python -m tools.remotes.push [--remote NAME] [--hashes] [--check]        (`make push`, `make verify-remote`, with HASHES=1)

--hashes  also reads every object of the remote, which finds changed bytes; without it only presence and size are compared
--check   sends nothing: names what is missing or damaged

Exit status: 0 the remote has everything, 2 it lacks something (each is named).
"""

import argparse
import subprocess
import sys

from tools.remotes import stored
from voz.pipeline import command
from voz.pipeline.command import UserError
from voz.pipeline.language import later, tr

MOST_NAMED = 20  # objects; a remote that lacks more is told by their number


def dvc_push(remote: str) -> None:
    """Run `dvc push`, whose messages go to the screen.

    Raises:
        UserError: it fails.
    """
    arguments = ["--remote", remote] if remote else []
    done = subprocess.run([sys.executable, "-m", "dvc", "push", *arguments], check=False)
    if done.returncode:
        raise UserError("dvc push failed (its message is above)", "mend that and run `make push` again: what was sent is kept")


def report(faults: list[stored.Fault]) -> None:
    """Print one line for each object, at most MOST_NAMED."""
    for fault in faults[:MOST_NAMED]:
        print(f"{tr(fault.what):<9} {fault.path}  ({fault.oid})")
    if len(faults) > MOST_NAMED:
        print(tr("... and {count} more", count=len(faults) - MOST_NAMED))


def main() -> None:
    args = parse_args()
    if not args.check:
        with stored.opened(args.remote):  # before DVC prints its own, longer messages
            pass
        dvc_push(args.remote)
    with stored.opened(args.remote) as (repo, name, remote):
        cache = repo.cache.local
        wanted = stored.needed(repo, remote)
        faults = stored.faults(remote, cache, wanted, hashes=args.hashes)
        report(faults)
        changed = stored.changed_sources(repo)
        if faults and not args.check:
            stored.heal(remote, cache, faults)
            wanted = stored.needed(repo, remote)  # a folder's list may be there now
            left = stored.faults(remote, cache, wanted, hashes=args.hashes)
            print(tr("sent again: {sent} of {count}", sent=len(faults) - len(left), count=len(faults)))
            faults = left
    if faults:
        again = later("run `make push` on the machine that has them, or `dvc repro` makes them again")
        fix = "`make push`" if args.check else again
        raise UserError(
            "remote {name}: {faults} of {wanted} objects are missing or damaged ({path} ...)",
            fix,
            name=name,
            faults=len(faults),
            wanted=len(wanted),
            path=faults[0].path,
        )
    if changed:
        raise UserError(
            "{path}: changed since DVC last saw it; the remote has the older version",
            "`dvc repro` or `dvc add {path}`, then `make push`",
            path=changed[0],
        )
    compared = tr("by their hashes") if args.hashes else tr("by their sizes (HASHES=1 reads them, too)")
    message = later("remote {name}: all {count} objects of this checkout are there, compared {compared}")
    print(tr(message, name=name, count=len(wanted), compared=compared))


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--remote", default="", help="its name (default: the default remote)")
    parser.add_argument("--hashes", action="store_true", help="read every object of the remote and compare its MD5")
    parser.add_argument("--check", action="store_true", help="send nothing")
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
