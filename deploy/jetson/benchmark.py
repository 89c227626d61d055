#!/usr/bin/env python3
"""benchmark.py BUNDLE: run the bundle's own benchmark with the profile (boards/*.yml) of this board.

Needs Python 3.6, numpy, Pillow, PyYAML and one engine: see README.md in this folder. Further arguments are passed to
`python3 -m runtime.benchmark`, whose --help lists them.
"""

import os
import sys

MACHINES = {"arm64": "aarch64", "AMD64": "x86_64"}  # as macOS and Windows call them
HERE = os.path.dirname(os.path.abspath(__file__))


def main(argv):
    """Return the exit status of the benchmark; 2 where no bundle is named."""
    if not argv or argv[0].startswith("-"):
        sys.stderr.write("usage: benchmark.py BUNDLE [--engine E] [--queries N] [--seconds S] [--out FOLDER] ...\n")
        return 2
    if not os.path.isfile(os.path.join(argv[0], "runtime", "benchmark.py")):
        sys.stderr.write("benchmark.py: %s is not a complete bundle: it has no runtime/\n" % argv[0])
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
    """Return the profiles, dicts, ordered by file name."""
    try:
        import yaml
    except ImportError:
        sys.exit("benchmark.py: PyYAML is not installed: run install.sh, or pip install pyyaml")
    folder, found = os.path.join(HERE, "boards"), []
    for name in sorted(os.listdir(folder)):
        if name.endswith(".yml"):
            with open(os.path.join(folder, name)) as file:
                found.append(yaml.safe_load(file))
    return found


def chosen(known, facts):
    """Return the profile of a board: by its name and power mode, else by its name, else by its architecture."""
    mode = facts["power_mode"]["id"] if facts["power_mode"] else None
    of_board = [each for each in known if each.get("board") and each["board"] in facts["board"]]
    of_mode = [each for each in of_board if each["power_mode"] == mode]
    others = [each for each in known if not each.get("board")]
    of_machine = [each for each in others if each["machine"] == MACHINES.get(facts["machine"], facts["machine"])]
    return (of_mode + of_board + of_machine + others)[0]


def advice(profile, facts):
    """Yield lines on what differs from the profile, and the command that corrects it."""
    wanted, mode = profile.get("power_mode"), facts["power_mode"]
    if wanted is not None and (mode is None or mode["id"] != wanted):
        modes = (mode["name"] if mode else "unknown", wanted, wanted)
        yield "power mode %s, not %s as in the profile: sudo nvpmodel -m %s && sudo jetson_clocks" % modes
    if profile.get("l4t") and not (facts["l4t"] or "").startswith(str(profile["l4t"])):
        yield "L4T %s, not %s as in the profile: results may differ" % (facts["l4t"], profile["l4t"])
    if profile.get("cores_online") and facts["cores_online"] != profile["cores_online"]:
        yield "%s cores are online, not %s as in the profile" % (facts["cores_online"], profile["cores_online"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
