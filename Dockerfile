# The image of the GitHub Action, and of anyone who would rather not install Python.
#
# A container action runs as root in /github/workspace, so there is no USER and no WORKDIR; it also runs as another user and
# with a read-only root (docs/releasing.md). The release pins BASE_IMAGE by digest; a build without a registry names its own.
ARG BASE_IMAGE=python:3.11-slim-bookworm

FROM ${BASE_IMAGE} AS build

COPY requirements /src/requirements
# Third-party packages first: this layer changes only with the lock. Their test suites and C headers stay out of the image.
RUN python -m venv /opt/build \
 && /opt/build/bin/pip install --no-cache-dir --quiet --require-hashes -r /src/requirements/build.txt \
 && python -m venv --without-pip /opt/ecoaudit \
 && /opt/build/bin/pip --python /opt/ecoaudit/bin/python install --no-cache-dir --quiet --no-compile --only-binary :all: \
      --require-hashes -r /src/requirements/runtime.txt \
 && find /opt/ecoaudit/lib -depth -type d \( -name tests -o -name testing -path '*/matplotlib/*' -o -path '*/numpy/_core/include' \
      -o -name sample_data -path '*/mpl-data/*' \) -exec rm -r {} +

COPY pyproject.toml README.md LICENSE NOTICE /src/
COPY templates /src/templates
COPY fixtures/sample_logs /src/fixtures/sample_logs
COPY src /src/src
RUN /opt/build/bin/pip wheel --no-cache-dir --quiet --no-deps --no-build-isolation --wheel-dir /dist /src \
 && /opt/build/bin/pip --python /opt/ecoaudit/bin/python install --no-cache-dir --quiet --no-compile --no-deps /dist/*.whl

FROM ${BASE_IMAGE}

LABEL org.opencontainers.image.title="ecoaudit" \
      org.opencontainers.image.description="Energy, carbon and cost audit of a training run" \
      org.opencontainers.image.source="https://github.com/ecocompute/audit" \
      org.opencontainers.image.licenses="Apache-2.0"

COPY --from=build /opt/ecoaudit /opt/ecoaudit

# One thread for linear algebra: an audit has none worth a pool, and starting one costs time and memory.
ENV MPLBACKEND=Agg \
    MPLCONFIGDIR=/opt/ecoaudit/cache/matplotlib \
    OPENBLAS_NUM_THREADS=1

# A container starts from the same files every time, so what Python and matplotlib would work out at each start is worked
# out here: byte code (the base image ships the standard library without) and the list of fonts.
# The folder of fonts is writable by everyone because matplotlib ignores a cache that it could not write to.
RUN python -m compileall -q -j 0 --invalidation-mode unchecked-hash -x '/(test|idlelib|lib2to3|ensurepip|turtledemo|tkinter|pip|setuptools)/' \
      "$(python -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')" /opt/ecoaudit/lib \
 && mkdir -p "$MPLCONFIGDIR" \
 && /opt/ecoaudit/bin/python -c 'import matplotlib.font_manager' \
 && chmod 1777 "$MPLCONFIGDIR" \
 && ln -s /opt/ecoaudit/bin/ecoaudit /usr/local/bin/ecoaudit

# -I: neither the workspace nor a job's PYTHONPATH can put a module before ours. -B, -u: write no byte code, hold back no line.
ENTRYPOINT ["/opt/ecoaudit/bin/python", "-IBu", "-m", "ecoaudit", "action"]
