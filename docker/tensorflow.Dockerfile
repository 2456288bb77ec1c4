ARG BASE=python:3.11-slim-bookworm
FROM ${BASE}

# GPU: LOCK=tensorflow-cuda; it brings CUDA along, the host its driver.
ARG LOCK=tensorflow

RUN --mount=type=cache,target=/root/.cache/pip \
    --mount=type=bind,source=requirements/tensorflow.txt,target=/requirements/tensorflow.txt \
    --mount=type=bind,source=requirements/tensorflow-cuda.txt,target=/requirements/tensorflow-cuda.txt \
    python3 -m venv /opt/shapeyard \
    && /opt/shapeyard/bin/pip install --require-hashes \
       --requirement /requirements/${LOCK}.txt \
    && /opt/shapeyard/bin/pip uninstall --yes pip

ENV PATH=/opt/shapeyard/bin:$PATH PYTHONPATH=/app PYTHONUNBUFFERED=1 HOME=/tmp USER=shapeyard \
    NVIDIA_VISIBLE_DEVICES=void NVIDIA_DRIVER_CAPABILITIES=compute,utility TF_CPP_MIN_LOG_LEVEL=2
RUN --mount=type=bind,target=/context \
    mkdir /app \
    && cp -r /context/shapeyard /context/components /context/pipelines /context/launch /app \
    && cp /context/docker/bin/* /opt/shapeyard/bin/ \
    && python3 -m compileall -q --invalidation-mode unchecked-hash /app

USER 65532:65532
WORKDIR /tmp
ENTRYPOINT ["entrypoint"]
CMD ["shapeyard", "--help"]
ARG VERSION REVISION
LABEL org.opencontainers.image.title=shapeyard/tensorflow \
      org.opencontainers.image.source=https://github.com/shapeyard/shapeyard \
      org.opencontainers.image.version=${VERSION} \
      org.opencontainers.image.revision=${REVISION}
