"""Two ways from a telemetry file to the joules of its boards, each run in a process of its own.

python -m benchmarks.engines ecoaudit|pandas FILE    prints {"joules": …, "seconds": …, "peak_mb": …}
"""

import json
import resource
import sys
import time
from pathlib import Path


def by_ecoaudit(path: Path) -> float:
    """Return the joules of all boards by the project's own audit: reading, gaps, counter check and model."""
    from ecoaudit.config import Config
    from ecoaudit.pipeline import audit_inputs

    level = audit_inputs([str(path)], Config(region="aws:eu-north-1")).energy.levels.L2
    assert level is not None
    assert level.gpu is not None
    assert level.gpu.value is not None
    return level.gpu.value * 3.6e6


def by_pandas(path: Path) -> float:
    """Return the joules of all boards by `pandas.read_json` in chunks: what a careful script would do."""
    import numpy as np
    import pandas as pd

    joules, last = 0.0, None
    for chunk in pd.read_json(path, lines=True, chunksize=20_000):
        counter = np.array(chunk.loc[chunk["type"] == "sample", "energy_j"].to_list(), dtype=float)
        if last is not None:
            counter = np.vstack([last, counter])
        step = np.diff(counter, axis=0)
        joules += float(step[step >= 0].sum())
        last = counter[-1]
    return joules


ENGINES = {"ecoaudit": by_ecoaudit, "pandas": by_pandas}


def main(engine: str, path: str) -> None:
    """Run one engine and print what it found, how long it took without its imports, and the memory it took at most."""
    import pandas as pd  # noqa: F401  # imported by both before the clock starts

    import ecoaudit.pipeline  # noqa: F401

    began = time.perf_counter()
    joules = ENGINES[engine](Path(path))
    seconds = time.perf_counter() - began
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"joules": joules, "seconds": seconds, "peak_mb": peak_mb}))


if __name__ == "__main__":
    main(*sys.argv[1:])
