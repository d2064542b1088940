# The course in a container: JupyterLab on a copy of the notebooks, for a user who may not change
# the course.
#
#     docker build -t learn-adam .
#     docker run --rm -p 8888:8888 -v learn-adam:/home/learner learn-adam
#
# A JupyterHub takes it as it is: the hub's own command comes in the place of the last line, and the
# home folder from the hub's storage. Behind a prefix, without a hub:
#
#     docker run ... learn-adam jupyter lab --ip=0.0.0.0 --ServerApp.base_url=/adam/
ARG PYTHON=3.13
FROM python:${PYTHON}-slim

# Without this PyTorch brings several gigabytes of CUDA libraries.
ARG PIP_ARGS="--extra-index-url https://download.pytorch.org/whl/cpu"

RUN useradd --create-home --uid 1000 learner

WORKDIR /course
COPY pyproject.toml constraints.txt requirements-container.lock README.md LICENSE LICENSE-TEXT.md ./
COPY adamlib adamlib
# hadolint ignore=SC2086 # PIP_ARGS is several words
RUN python -m pip install --no-cache-dir --require-hashes --no-deps \
        $PIP_ARGS --requirement requirements-container.lock \
    && python -m pip install --no-cache-dir --constraint constraints.txt $PIP_ARGS torch \
    && python -m pip install --no-cache-dir --no-deps --no-build-isolation --editable .
COPY tools tools
COPY notebooks notebooks
COPY benchmarks benchmarks

USER 1000
WORKDIR /home/learner
EXPOSE 8888
ENTRYPOINT ["python", "/course/tools/lab.py", "serve"]
CMD ["jupyter", "lab", "--ip=0.0.0.0", "--no-browser"]
