# The images of our own services. From one, `serving`, pods answer; all else runs from the other, `runtime`: the registry,
# training, scoring. An image of a system's own begins with `runtime`, since both its training and its pods run from it.
# Each holds what tools/install-image puts into one folder, which tests/unit/project/test_image.py does and runs too.
#   docker build --target runtime --build-arg VERSION=0.1.0 --build-arg COMMIT=$(git rev-parse HEAD) \
#     -t ghcr.io/mlstrata/runtime:0.1.0 .
ARG PYTHON=docker.io/library/python:3.11-slim-bookworm

FROM ${PYTHON} AS build
WORKDIR /source
COPY locks/uv.txt locks/
RUN python -m venv /uv && /uv/bin/python -m pip install --quiet --require-hashes --only-binary :all: -r locks/uv.txt
COPY . .
ENV UV_PYTHON_DOWNLOADS=never UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy

# COMMIT is refused when absent: a version's lineage names it.
FROM build AS build-serving
ARG COMMIT
RUN tools/install-image /uv/bin/uv "$(command -v python)" /opt/mlstrata serving "${COMMIT}"

FROM build AS build-runtime
ARG COMMIT
RUN tools/install-image /uv/bin/uv "$(command -v python)" /opt/mlstrata services "${COMMIT}"

FROM ${PYTHON} AS pod
ARG VERSION
ARG COMMIT
LABEL org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${COMMIT}" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV PATH=/opt/mlstrata/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
# The user that the pods run as; nothing is written but what they mount.
USER 10001:10001
WORKDIR /tmp
ENTRYPOINT []
CMD ["mlserver", "--version"]

FROM pod AS serving
LABEL org.opencontainers.image.title="mlstrata serving"
COPY --from=build-serving /opt/mlstrata /opt/mlstrata

FROM pod AS runtime
LABEL org.opencontainers.image.title="mlstrata runtime"
COPY --from=build-runtime /opt/mlstrata /opt/mlstrata
