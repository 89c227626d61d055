#!/usr/bin/env python3
"""benchmark.py BUNDLE: the bundle's own benchmark, under the profile (boards/*.yml) of the board that this is.

Needs Python 3.6, numpy, Pillow, PyYAML and one engine: see README.md beside this file. Further arguments go to
`python3 -m runtime.benchmark`, whose --help tells them.
"""

import os
import sys

MACHINES = {"arm64": "aarch64", "AMD64": "x86_64"}  # as macOS and Windows call them
HERE = os.path.dirname(os.path.abspath(__file__))


def main(argv):
    """The exit status of the benchmark; 2 where no bundle is named."""
    if not argv or argv[0].startswith("-"):
        sys.stderr.write("usage: benchmark.py BUNDLE [--engine E] [--queries N] [--out FOLDER] [--workspace MB]\n")
        return 2
    if not os.path.isfile(os.path.join(argv[0], "runtime", "benchmark.py")):
        sys.stderr.write("benchmark.py: %s is no bundle, or not a whole one: it holds no runtime/\n" % argv[0])
        return 1
    sys.path.insert(0, argv[0])
    from runtime import benchmark, board

    facts = board.facts()
    profile = chosen(profiles(), facts)
    for line in advice(profile, facts):
        print(line)
    given = ["--profile", profile["name"], "--workspace", str(profile["workspace_mb"])]
    return benchmark.main(argv[:1] + given + argv[1:])


def profiles():
    """The profiles, dicts, by the names of their files."""
    try:
        import yaml
    except ImportError:
        sys.exit("benchmark.py: PyYAML is not installed: see install.sh, or pip install pyyaml")
    folder, found = os.path.join(HERE, "boards"), []
    for name in sorted(os.listdir(folder)):
        if name.endswith(".yml"):
            with open(os.path.join(folder, name)) as file:
                found.append(yaml.safe_load(file))
    return found


def chosen(known, facts):
    """The profile of a board: of its name and power mode, else of its name, else of its architecture."""
    mode = facts["power_mode"]["id"] if facts["power_mode"] else None
    of_board = [each for each in known if each.get("board") and each["board"] in facts["board"]]
    of_mode = [each for each in of_board if each["power_mode"] == mode]
    others = [each for each in known if not each.get("board")]
    of_machine = [each for each in others if each["machine"] == MACHINES.get(facts["machine"], facts["machine"])]
    return (of_mode + of_board + of_machine + others)[0]


def advice(profile, facts):
    """Lines on what differs from the profile, and the command that mends it."""
    wanted, mode = profile.get("power_mode"), facts["power_mode"]
    if wanted is not None and (mode is None or mode["id"] != wanted):
        told = (mode["name"] if mode else "unknown", wanted, wanted)
        yield "power mode %s, not %s of the profile: sudo nvpmodel -m %s && sudo jetson_clocks" % told
    if profile.get("l4t") and not (facts["l4t"] or "").startswith(str(profile["l4t"])):
        yield "L4T %s, not %s of the profile: figures may differ" % (facts["l4t"], profile["l4t"])
    if profile.get("cores_online") and facts["cores_online"] != profile["cores_online"]:
        yield "%s cores are online, not %s of the profile" % (facts["cores_online"], profile["cores_online"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
