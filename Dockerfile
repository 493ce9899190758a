# One image for every node: `regulator-node`, `provider-node` and `filing-verify`, and no compiler in it.
FROM python:3.11.11-slim-bookworm AS build
WORKDIR /source
COPY pyproject.toml setup.py MANIFEST.in README.md LICENSE buf.yaml constraints.txt ./
COPY protos protos
COPY shared shared
COPY provider_node provider_node
COPY regulator_node regulator_node
RUN python -m venv /opt/filingnet \
    && /opt/filingnet/bin/pip install --no-cache-dir --constraint constraints.txt .

FROM python:3.11.11-slim-bookworm
# The folders exist with their owner, so that a named volume mounted there belongs to the node as well.
RUN groupadd --gid 10001 filingnet \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin filingnet \
    && install -d -o filingnet -g filingnet -m 0700 /data /keys /enrolment /api /national \
       /tokens/zhejiang /tokens/beijing /tokens/wave /tokens/harbour
COPY --from=build /opt/filingnet /opt/filingnet
ENV PATH=/opt/filingnet/bin:$PATH \
    PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /data
VOLUME /data
HEALTHCHECK --interval=10s --timeout=10s --start-period=60s --start-interval=1s \
    CMD ["python", "-m", "shared.health_check", "unix:/data/operator.sock"]
CMD ["regulator-node", "serve", "--data", "/data"]
