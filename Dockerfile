# One image for every service; `serve SERVICE` says which one a container is.
FROM python:3.13-slim-trixie AS build
WORKDIR /src
COPY requirements/runtime.txt requirements/build.txt requirements/
RUN python -m venv /opt/lienthong \
 && /opt/lienthong/bin/pip install --no-cache-dir --no-deps --require-hashes -r requirements/runtime.txt \
 && python -m venv /opt/build \
 && /opt/build/bin/pip install --no-cache-dir --no-deps --require-hashes -r requirements/build.txt
COPY . .
RUN /opt/build/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /dist . \
 && /opt/lienthong/bin/pip install --no-cache-dir --no-deps /dist/*.whl

FROM python:3.13-slim-trixie
# Each folder becomes a volume of one service, owned by the account that the services run as.
RUN useradd --system --uid 10001 --no-create-home lienthong \
 && for name in ca clients gateway identity population portal postgres; do \
      install -d -o lienthong -g lienthong -m 0700 "/world/$name"; done \
 && chown lienthong /world && chmod 0755 /world/postgres
COPY --from=build /opt/lienthong /opt/lienthong
ENV PATH=/opt/lienthong/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER lienthong
ENTRYPOINT ["lienthong"]
CMD ["--help"]
