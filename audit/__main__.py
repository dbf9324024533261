"""Test claims and write the results: `python -m audit`, or `python -m audit C02 C06` for some."""

import json
import sys

from audit.collapse import t3
from audit.comparison import c28, c29
from audit.conv import c01
from audit.dcgan import c12, c19, c20
from audit.games import c10, c11, c13, c14, c15, c16, c17, c18
from audit.labels import c03, c04
from audit.pixel import c05, c08, c09, s02
from audit.settings import s01
from audit.theory import t1, t2, t4
from audit.vae import c02, c06, c07
from audit.verdicts import RESULTS
from audit.wgan import c21, c22, c23, c24, c25, c26, c27
from gmlib.errors import InputError, nearest
from gmlib.files import write_whole

CLAIMS = {
    **{"C01": c01, "C02": c02, "C03": c03, "C04": c04, "C05": c05, "C06": c06, "C07": c07, "S01": s01, "S02": s02},
    **{"C10": c10, "C11": c11, "C12": c12, "C13": c13, "C14": c14, "C15": c15, "C16": c16, "C17": c17},
    **{"C18": c18, "C19": c19, "C20": c20, "C21": c21, "C22": c22, "C23": c23, "C24": c24, "C25": c25, "C26": c26},
    **{"C27": c27, "C08": c08, "C09": c09, "C28": c28, "C29": c29},
    **{"T1": t1, "T2": t2, "T3": t3, "T4": t4},
}


def main(names: list[str]) -> int:
    """Test the named claims; the others keep their entries."""
    for name in names:
        if name not in CLAIMS:
            print(f"got claim {name!r}, expected one of {', '.join(CLAIMS)}{nearest(name, CLAIMS)}", file=sys.stderr)
            return 2
    for name in names or CLAIMS:
        try:
            evidence = CLAIMS[name]()
        except InputError as error:
            print(f"audit: {error}", file=sys.stderr)
            return 2
        print(f"{name} {evidence.verdict}: {evidence.effect} {evidence.interval} {evidence.unit}; {evidence.because}")
        # read again each time: another process may have written meanwhile
        stored = {entry["id"]: entry for entry in json.loads(RESULTS.read_text())} if RESULTS.exists() else {}
        stored[name] = evidence.record()
        write_whole(RESULTS, json.dumps([stored[key] for key in sorted(stored)], indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
