# The service: docker build -t tocsin . && docker run -p 127.0.0.1:9200:9200 -v tocsin:/var/lib/tocsin --stop-timeout 30 tocsin
# docs/serve.md says how it is used, docs/exposed.md what it needs before others may reach it.

FROM python:3.11-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 TOCSIN_DESK=required
# npm bundles the desk's scripts and styles when the wheel is built.
RUN apt-get update && apt-get install --yes --no-install-recommends nodejs npm \
    && python -m venv /opt/tocsin && python -m venv /opt/hatchling
WORKDIR /build
COPY requirements-serve.lock requirements-build.lock ./
RUN /opt/tocsin/bin/pip install --require-hashes -r requirements-serve.lock \
    && /opt/hatchling/bin/pip install --require-hashes -r requirements-build.lock
COPY pyproject.toml hatch_build.py README.md LICENSE NOTICE ./
COPY src src
COPY examples examples
# Nothing is installed into an image that runs, so pip stays behind.
RUN /opt/hatchling/bin/hatchling build -t wheel \
    && /opt/tocsin/bin/pip install --no-index --no-deps dist/*.whl \
    && /opt/tocsin/bin/pip uninstall --yes setuptools pip

FROM python:3.11-slim
# To the first process of a container Linux passes no signal that it does not handle yet: tini passes them on.
RUN apt-get update && apt-get install --yes --no-install-recommends tini \
    && apt-get clean && rm -rf /var/lib/apt/lists/*
# The user goes by number, so that an orchestrator can tell that it is not root. The folder is empty: it becomes a volume.
RUN groupadd --gid 10001 tocsin \
    && useradd --uid 10001 --gid tocsin --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin tocsin \
    && install --directory --owner=tocsin --group=tocsin --mode=0700 /var/lib/tocsin
COPY --from=build /opt/tocsin /opt/tocsin
COPY scripts/healthcheck.py /opt/tocsin/healthcheck.py
ENV PATH=/opt/tocsin/bin:$PATH PYTHONUNBUFFERED=1 TOCSIN_DATA=/var/lib/tocsin TOCSIN_HOST=0.0.0.0 TOCSIN_CACHE=
USER 10001:10001
VOLUME /var/lib/tocsin
EXPOSE 9200
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s CMD ["python", "/opt/tocsin/healthcheck.py"]
ENTRYPOINT ["tini", "--", "tocsin"]
CMD ["serve"]
