FROM python:3.12-slim

RUN useradd --create-home --uid 1000 gclip
WORKDIR /home/gclip/app

# Exact versions with hashes. TORCH_INDEX names a package index to take PyTorch from, such as one of
# builds without a GPU; left empty, PyTorch comes from the lock like everything else.
ARG TORCH_INDEX=""
COPY requirements.lock requirements-torch.lock ./
RUN pip install --no-cache-dir --no-deps --require-hashes -r requirements.lock \
    && if [ -z "$TORCH_INDEX" ]; then \
        pip install --no-cache-dir --no-deps --require-hashes -r requirements-torch.lock; \
    else \
        pip install --no-cache-dir --no-deps --index-url "$TORCH_INDEX" \
            $(grep -oE '^torch(vision)?==[0-9.]+' requirements-torch.lock); \
    fi

# Owned by root: the user who runs the page can read the program, not change it.
COPY app.py LICENSE README.md ./
COPY gclip_core gclip_core
COPY evaluation evaluation
COPY demo demo
COPY assets assets
RUN python -m compileall -q gclip_core evaluation demo && chmod -R a+rX,go-w .

USER gclip
ENV GRADIO_ANALYTICS_ENABLED=False PYTHONDONTWRITEBYTECODE=1
EXPOSE 7860
HEALTHCHECK --start-period=90s CMD ["python", "-c", \
    "from urllib.request import urlopen; urlopen('http://127.0.0.1:7860/health', timeout=5)"]
CMD ["python", "app.py", "--host", "0.0.0.0", "--port", "7860"]
