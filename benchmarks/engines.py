"""Ways from a telemetry file to the joules of its boards, each run in a process of its own.

python -m benchmarks.engines reading|audit|pandas FILE    prints {"joules": …, "seconds": …, "peak_mb": …}
"""

import importlib
import json
import re
import sys
import time
from pathlib import Path

import numpy as np


def by_reading(path: Path) -> float:
    """Return the joules of all boards by the project's reader and integration, counter check and load included."""
    from ecoaudit.ingest import read
    from ecoaudit.jobs import Jobs
    from ecoaudit.model.nodes import read_nodes, streams
    from ecoaudit.model.notes import Notes
    from ecoaudit.rereading import reducer

    notes, jobs = Notes(), Jobs()
    found = streams(read([str(path)], across=jobs.map).telemetry, notes)
    edges = np.array([found[0].start_s, found[0].end_s])
    (node,) = read_nodes(found, edges, (float(edges[0]), float(edges[1])), reducer(jobs.map), notes)
    return sum(float(gpu.energy.read_j.sum()) for gpu in node.gpus)


def by_audit(path: Path) -> float:
    """Return the joules of all boards by the whole audit."""
    from ecoaudit.config import Config
    from ecoaudit.pipeline import audit_inputs

    level = audit_inputs([str(path)], Config(region="aws:eu-north-1")).energy.levels.L2
    assert level is not None
    assert level.gpu is not None
    assert level.gpu.value is not None
    return level.gpu.value * 3.6e6


def by_pandas(path: Path) -> float:
    """Return the joules of all boards by `pandas.read_json` in chunks: what a careful script would do.

    Like the others it also integrates power and utilisation; unlike them it stops at a bad line.
    """
    import pandas as pd

    joules, by_power, load, last = 0.0, 0.0, 0.0, None
    for chunk in pd.read_json(path, lines=True, chunksize=20_000):
        rows = chunk.loc[chunk["type"] == "sample", ["t", "power_w", "energy_j", "util"]]
        time_s = rows["t"].to_numpy(dtype=float)[:, np.newaxis]
        values = [time_s, *(np.array(rows[name].to_list(), dtype=float) for name in ("power_w", "energy_j", "util"))]
        if last is not None:
            values = [np.vstack(pair) for pair in zip(last, values, strict=True)]
        last = [column[-1:] for column in values]
        seconds, counted = np.diff(values[0], axis=0), np.diff(values[2], axis=0)
        joules += float(counted[counted >= 0].sum())
        by_power += float((0.5 * (values[1][1:] + values[1][:-1]) * seconds).sum())
        load += float((0.5 * (values[3][1:] + values[3][:-1]) * seconds).sum())
    assert abs(by_power / joules - 1.0) < 0.01
    assert load > 0
    return joules


ENGINES = {"reading": by_reading, "audit": by_audit, "pandas": by_pandas}
IMPORTS = {"pandas": ["pandas"]}
OWN_IMPORTS = [
    "numpy.ma",  # which numpy.unique imports
    "ecoaudit.ingest.assemble",
    "ecoaudit.ingest.own_gpus",
    "ecoaudit.ingest.telemetry.ecoaudit_jsonl",
    "ecoaudit.model.build",
    "ecoaudit.pipeline",
    "ecoaudit.rereading",
]


def main(engine: str, path: str) -> None:
    """Run one engine and print what it found, its processor time without imports, and the memory it took at most."""
    for name in IMPORTS.get(engine, OWN_IMPORTS):  # they are not part of the race
        importlib.import_module(name)
    began = time.process_time()
    joules = ENGINES[engine](Path(path))
    seconds = time.process_time() - began
    # Not ru_maxrss: it knows of the process that this one was forked from.
    (peak_kb,) = re.findall(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
    peak_mb = int(peak_kb) / 1024
    print(json.dumps({"joules": joules, "seconds": seconds, "peak_mb": peak_mb}))


if __name__ == "__main__":
    main(*sys.argv[1:])
