# The service: docker build -t tocsin . && docker run -p 127.0.0.1:9200:9200 -v tocsin:/var/lib/tocsin --stop-timeout 30 tocsin
# docs/serve.md says how it is used, docs/exposed.md what it needs before others may reach it.

FROM python:3.11-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/tocsin
WORKDIR /build
COPY requirements-serve.lock .
RUN /opt/tocsin/bin/pip install --require-hashes -r requirements-serve.lock
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY src src
COPY examples examples
RUN /opt/tocsin/bin/pip install --no-deps .

FROM python:3.11-slim
RUN useradd --system --uid 10001 --home-dir /var/lib/tocsin --create-home tocsin
COPY --from=build /opt/tocsin /opt/tocsin
COPY scripts/healthcheck.py /opt/tocsin/healthcheck.py
ENV PATH=/opt/tocsin/bin:$PATH PYTHONUNBUFFERED=1 TOCSIN_DATA=/var/lib/tocsin TOCSIN_HOST=0.0.0.0
USER tocsin
VOLUME /var/lib/tocsin
EXPOSE 9200
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s CMD ["python", "/opt/tocsin/healthcheck.py"]
ENTRYPOINT ["tocsin"]
CMD ["serve"]
