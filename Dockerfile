# The app in an image: docker build -t regviz . && docker run --rm -p 8501:8501 regviz
# It runs as any user, with a read-only root, a writable /tmp, no capability and no network but
# its port: compose.yaml starts it so, and docs/deploy.md says more.

FROM python:3.11-slim AS build

# Where torch comes from: an index of CPU wheels, for the small image, or of CUDA ones. Empty: the
# package index, whose torch brings CUDA on Linux (several GB more).
ARG TORCH_INDEX=""
# What a server of one's own needs besides, such as "Authlib httpx" for st.login.
ARG EXTRA=""

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_PYTHON=/venv/bin/python
RUN python -m venv --without-pip /venv
WORKDIR /app

# torch first and apart: with an index of its own, and a big layer that stays when others change
COPY requirements.txt constraints.txt ./
RUN --mount=type=cache,target=/root/.cache/pip \
    pip install ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} -c constraints.txt torch
# hadolint ignore=DL3059,SC2086
RUN --mount=type=cache,target=/root/.cache/pip \
    pip install -r requirements.txt $EXTRA

# What no run of the app needs: headers, test suites, notebook extensions, Arrow's network clients.
# torch_shm_manager is needed, and so is torch.testing: torch itself imports it.
RUN site=$(/venv/bin/python -c "import sysconfig; print(sysconfig.get_path('purelib'))") \
    && rm -rf "$site/torch/test" "$site/torch/include" "$site/pyarrow/include" \
        "$site/pydeck/nbextension" "$site/plotly/labextension" \
        "$site"/pyarrow/*flight* "$site"/pyarrow/*s3* "$site"/pyarrow/_pyarrow_cpp_tests* \
    && find "$site/torch/bin" -type f ! -name torch_shm_manager -delete \
    && find "$site" -type d -name tests -prune -exec rm -rf {} +

COPY . .
# .pyc files halve the start; the image must work for any user, whoever's files these were
RUN /venv/bin/python -c "import pathlib, regviz.ui.live as live; live.ensure_plotly_js(pathlib.Path('static'))" \
    && /venv/bin/python -m compileall -q regviz \
    && chmod -R a+rX /app


FROM python:3.11-slim

# Fonts for names in other scripts on slides (133 MB installed); FONTS="": those in Latin, Greek,
# Cyrillic, Arabic, Hebrew, Armenian and Georgian letters are drawn in any case.
ARG FONTS="fonts-noto-core fonts-noto-cjk"
# hadolint ignore=DL3008,SC2086
RUN if [ -n "$FONTS" ]; then \
        apt-get update && apt-get install -y --no-install-recommends $FONTS \
        && rm -rf /var/lib/apt/lists/*; \
    fi

COPY --from=build /venv /venv
COPY --from=build /app /app
WORKDIR /app

# torch does not see a container's CPU quota, hence one thread for each trainer. The server
# asks no outside host and writes nothing but its log: settings are the project's, caches go to
# /tmp. What fails is told in the log, not in the page.
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp \
    OMP_NUM_THREADS=1 \
    REGVIZ_LOG=json \
    STREAMLIT_BROWSER_GATHER_USAGE_STATS=false \
    STREAMLIT_BROWSER_SERVER_ADDRESS=localhost \
    STREAMLIT_CLIENT_SHOW_ERROR_DETAILS=none \
    STREAMLIT_CLIENT_TOOLBAR_MODE=viewer \
    STREAMLIT_SERVER_ADDRESS=0.0.0.0 \
    STREAMLIT_SERVER_FILE_WATCHER_TYPE=none \
    STREAMLIT_SERVER_HEADLESS=true \
    STREAMLIT_SERVER_PORT=8501

USER 10001:10001
EXPOSE 8501
STOPSIGNAL SIGTERM

# the path moves with the app behind a proxy
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; e = os.environ; b = e.get('STREAMLIT_SERVER_BASE_URL_PATH', '').strip('/'); r.urlopen('http://127.0.0.1:%s%s/_stcore/health' % (e['STREAMLIT_SERVER_PORT'], '/' + b if b else ''), timeout=4)"]

CMD ["python", "-m", "regviz", "serve"]
