# Built by BuildKit of Docker 20.10 and later: no syntax line, heredoc or COPY --link, so that a
# machine which reaches no registry of images builds it too.
#
#   docker build .                                    with the course inside, for a class
#   --target environment                              without it, for a checkout mounted at /lab
#   --build-arg BASE_IMAGE=...                        any Debian 12
#   --build-arg APT_MIRROR=http://...                 instead of http://deb.debian.org
#   --secret id=pip_conf,src=pip.conf                 another index of Python packages
#   --secret id=ca,src=ca.pem                         certificates to trust beside Debian's
#
# torch's wheels carry CUDA, so no image of NVIDIA's is needed below: half the size.
ARG BASE_IMAGE=debian:bookworm-slim
FROM ${BASE_IMAGE} AS base
ARG APT_MIRROR=http://deb.debian.org
# A copy of apt's sources names the mirror, and /tmp is not kept.
RUN --mount=type=tmpfs,target=/tmp --mount=type=tmpfs,target=/var/lib/apt/lists \
    --mount=type=tmpfs,target=/var/cache/apt \
    mkdir -p /tmp/apt \
    && sed "s|http://deb.debian.org|${APT_MIRROR}|" \
        /etc/apt/sources.list.d/debian.sources > /tmp/apt/debian.sources \
    && apt-get -o Dir::Etc::sourceparts=/tmp/apt update -qq \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        ca-certificates python3 \
    # Nobody becomes another user in here.
    && find / -xdev -type f -perm /6000 -exec chmod a-s {} + \
    && rm -rf /var/log/*.log /var/log/apt/* /var/cache/debconf/*-old /var/lib/dpkg/*-old \
        /var/cache/ldconfig/aux-cache

# The biggest packages have a layer of their own, remade only when one of their pins changes.
FROM base AS locks
COPY requirements-dev.txt requirements.txt /locks/
RUN cd /locks \
    && awk '/^[a-z]/ {take = /^uv==/} take' requirements-dev.txt > uv.txt \
    && awk '/^[a-z]/ {take = /^(torch|torchvision|triton|nvidia-[a-z0-9-]+|cuda-[a-z]+)==/} take' \
        requirements.txt > torch.txt

# What installs: bound into the steps below, never part of the image. Two programs and their
# libraries, the same to the byte however often they are fetched, so that torch's layer is kept.
FROM base AS tools
ARG APT_MIRROR=http://deb.debian.org
RUN --mount=type=tmpfs,target=/tmp --mount=type=tmpfs,target=/var/lib/apt/lists \
    --mount=type=tmpfs,target=/var/cache/apt \
    mkdir -p /tmp/apt \
    && sed "s|http://deb.debian.org|${APT_MIRROR}|" \
        /etc/apt/sources.list.d/debian.sources > /tmp/apt/debian.sources \
    && apt-get -o Dir::Etc::sourceparts=/tmp/apt update -qq \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        binutils python3-venv
RUN --mount=type=secret,id=pip_conf --mount=type=secret,id=ca --mount=type=tmpfs,target=/tmp \
    --mount=type=bind,from=locks,source=/locks/uv.txt,target=/locks/uv.txt \
    python3 -m venv /tmp/venv \
    && cat /etc/ssl/certs/ca-certificates.crt > /tmp/ca.pem \
    && if [ -s /run/secrets/ca ]; then cat /run/secrets/ca >> /tmp/ca.pem; fi \
    && PIP_CONFIG_FILE=/run/secrets/pip_conf PIP_CERT=/tmp/ca.pem /tmp/venv/bin/pip install \
        --quiet --disable-pip-version-check --no-cache-dir --no-deps --require-hashes -r /locks/uv.txt \
    && mkdir /opt/tools \
    && cp -L /tmp/venv/bin/uv /usr/bin/strip $(ldd /usr/bin/strip | awk '/=>/ {print $3}') /opt/tools

# All but the course: what Compose runs, with the learner's checkout at /lab.
FROM base AS environment
# Two builds of one commit give the same files: byte code names no time of its source, sets in it
# are in one order, and the day on which the learner's account was made is this one.
ARG PYTHONHASHSEED=0
ARG SOURCE_DATE_EPOCH=1767225600
RUN python3 -m venv --without-pip /opt/venv
COPY container/install /opt/install
RUN --mount=type=secret,id=pip_conf --mount=type=secret,id=ca --mount=type=tmpfs,target=/tmp \
    --mount=type=cache,id=arena-lab-uv,target=/root/.cache/uv \
    --mount=type=bind,from=tools,source=/opt/tools,target=/opt/tools \
    --mount=type=bind,from=locks,source=/locks/torch.txt,target=/locks/torch.txt \
    /opt/install /locks/torch.txt \
    # Symbols for a debugger are two thirds of it.
    && find /opt/venv -path '*/triton/*' -name 'lib*ton.so' \
        -exec env LD_LIBRARY_PATH=/opt/tools /opt/tools/strip {} + \
    && python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash \
        /opt/venv/lib/python3.11/site-packages/torch*
RUN --mount=type=secret,id=pip_conf --mount=type=secret,id=ca --mount=type=tmpfs,target=/tmp \
    --mount=type=cache,id=arena-lab-uv,target=/root/.cache/uv \
    --mount=type=bind,from=tools,source=/opt/tools,target=/opt/tools \
    --mount=type=bind,from=locks,source=/locks/requirements.txt,target=/locks/requirements.txt \
    /opt/install /locks/requirements.txt \
    # Byte code, for a start takes twice as long without: of torch, above, and of what else is
    # imported on the way to a page and a first cell. All of it would be 200 MB. What arena_lab.lab
    # leaves out is left out here.
    && printf '%s\n' \
        'einops, jinja2, mpmath, networkx, numpy.random, plotly.express, streamlit.web.bootstrap, sympy, tqdm.auto, yaml' \
        'anywidget, invoke.program, ipykernel.kernelapp, ipywidgets, jupyter_server_proxy, jupyterlab.labapp, jupytext, pytest, rich.console' \
        | HOME=/tmp xargs -P 0 -I '{}' /opt/venv/bin/python -c \
            'import sys; sys.modules["rfc3987_syntax"] = None; import {}' \
    && cd /opt/venv/lib/python3.11/site-packages \
    && { find . -name '*.cpython-311.pyc' | sed 's|__pycache__/||; s|[.]cpython-311[.]pyc$|.py|'; \
        printf './%s\n' anyio debugpy h11 httptools IPython ipykernel itsdangerous jaxtyping \
            markdown_it mdit_py_plugins psutil starlette streamlit/components streamlit/runtime \
            streamlit/web tornado uvicorn uvloop watchfiles websockets \
            | xargs -I '{}' find '{}' -name '*.py'; } \
        | grep -v '^./torch' | sort -u > /tmp/used.txt \
    && python3 -m compileall -q -f -j 0 --invalidation-mode unchecked-hash -i /tmp/used.txt

# HOME is where everything else that wants to write goes: Jupyter's runtime files, IPython's
# history, the caches of Triton and of Hugging Face. Open to any user, for the container runs as
# whoever owns the folder at /lab, and that user may have no line in /etc/passwd.
RUN useradd --uid 1000 --create-home --shell /bin/bash learner \
    && install -d -m 1777 /home/learner /home/learner/.vscode-server \
    && install -d -o learner -g learner /lab \
    # Login shells, such as JupyterLab's terminals and an editor's, set PATH anew; and a prompt
    # would complain about a user without a name.
    && printf '%s\n' 'PATH=/opt/venv/bin:$PATH' > /etc/profile.d/arena-lab.sh \
    && printf '%s\n' 'PS1="lab:\w\$ "' >> /etc/bash.bashrc \
    && rm -f /var/log/*log
ENV HOME=/home/learner USER=learner LOGNAME=learner SHELL=/bin/bash LANG=C.UTF-8 \
    PATH=/opt/venv/bin:/usr/local/bin:/usr/bin:/bin \
    VIRTUAL_ENV=/opt/venv \
    PYTHONPATH=/lab:/lab/chapter0_fundamentals/exercises \
    ARENA_LAB_CONTAINER=1 \
    ARENA_LAB_IP=0.0.0.0
COPY --chmod=755 container/start /opt/start
WORKDIR /lab
USER learner
EXPOSE 8888
# /api answers without a token; a hub puts it below a prefix of its own.
HEALTHCHECK --interval=5s --timeout=5s --start-period=60s --retries=6 CMD ["python3", "-ISc", "\
import http.client, os; \
port = int(os.environ.get('ARENA_LAB_PORT_INSIDE') or 8888); \
c = http.client.HTTPConnection('127.0.0.1', port, timeout=4); \
c.request('GET', os.environ.get('JUPYTERHUB_SERVICE_PREFIX', '/') + 'api'); \
raise SystemExit(c.getresponse().status != 200)"]
ENTRYPOINT ["/opt/start"]
CMD ["invoke", "lab"]

# With the course inside, for a class, whose learners have no checkout. Nobody's answers come along
# (.dockerignore): the starters are made anew.
FROM environment AS course
COPY --chown=1000:1000 . /lab
RUN PYTHONDONTWRITEBYTECODE=1 invoke starters && rm -rf .lab

# One layer, the last: a changed page is all that is fetched again.
FROM environment
COPY --chown=1000:1000 --from=course /lab /lab
