ARG BASE=python:3.11-slim-bookworm
FROM ${BASE}

# GPU: LOCK=torch-cuda and no TORCH_INDEX; PyPI's torch brings CUDA along, the host its driver.
ARG LOCK=torch
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu

RUN --mount=type=cache,target=/root/.cache/pip \
    --mount=type=bind,source=requirements/torch.txt,target=/requirements/torch.txt \
    --mount=type=bind,source=requirements/torch-cuda.txt,target=/requirements/torch-cuda.txt \
    --mount=type=bind,source=docker/wheels,target=/wheels \
    python3 -m venv /opt/shapeyard \
    && /opt/shapeyard/bin/pip install --require-hashes --find-links /wheels ${TORCH_INDEX:+--extra-index-url ${TORCH_INDEX}} \
       --requirement /requirements/${LOCK}.txt \
    && /opt/shapeyard/bin/pip uninstall --yes pip

ENV PATH=/opt/shapeyard/bin:$PATH PYTHONPATH=/app PYTHONUNBUFFERED=1 HOME=/tmp USER=shapeyard \
    NVIDIA_VISIBLE_DEVICES=void NVIDIA_DRIVER_CAPABILITIES=compute,utility
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
LABEL org.opencontainers.image.title=shapeyard/torch \
      org.opencontainers.image.source=https://github.com/shapeyard/shapeyard \
      org.opencontainers.image.version=${VERSION} \
      org.opencontainers.image.revision=${REVISION}
