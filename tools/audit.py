"""Ask for known vulnerabilities of the pinned packages, by pip-audit.

    python -m tools.audit .venv/audit/bin/pip-audit requirements.txt ...    (`make audit`)

Needs a network. Exit status: 0 no known vulnerability, 1 at least one, 2 nothing could be asked.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from voz.pipeline.command import UserError, run


def vulnerable(report: dict[str, Any]) -> list[str]:
    """A line for each vulnerability of a pip-audit report in JSON."""
    return [
        f"{package['name']} {package['version']}: {each['id']}, fixed in {', '.join(each['fix_versions']) or 'no version yet'}"
        for package in report["dependencies"]
        for each in package.get("vulns", [])
    ]


def main() -> None:
    """Print the vulnerabilities, and how many packages were asked about."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pip_audit", type=Path)
    parser.add_argument("requirements", nargs="+", type=Path)
    args = parser.parse_args()
    files = [option for path in args.requirements for option in ("-r", str(path))]
    command = [str(args.pip_audit), "--disable-pip", "--no-deps", "--progress-spinner=off", "--format=json", *files]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if not result.stdout:
        reason = (result.stderr.strip().splitlines() or ["no answer"])[-1]
        raise UserError("pip-audit failed: {reason}", "run it where a network is", reason=reason)
    report = json.loads(result.stdout)
    unknown = [package["name"] for package in report["dependencies"] if "skip_reason" in package]
    asked = len(report["dependencies"]) - len(unknown)
    if not asked:
        raise UserError(
            "none of {count} packages could be asked about", "run it where a network is; a mirror may know none", count=len(unknown)
        )
    found = vulnerable(report)
    not_asked = f"; not asked about: {', '.join(unknown)}" if unknown else ""
    print("\n".join([*found, f"{asked} packages, {len(found)} known vulnerabilities{not_asked}"]))
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    run(main)
