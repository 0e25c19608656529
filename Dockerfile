FROM python:3.12-slim
RUN useradd --create-home --uid 1000 gclip
WORKDIR /home/gclip/app
COPY requirements.txt ./
# With the address of PyTorch's CPU wheels, the image has no CUDA.
ARG PIP_EXTRA_INDEX_URL
RUN pip install --no-cache-dir -r requirements.txt
# Owned by root: the user who runs the page can read the program, not change it.
COPY app.py ./
COPY gclip_core gclip_core
COPY evaluation evaluation
COPY demo demo
COPY assets assets
USER gclip
ENV PYTHONDONTWRITEBYTECODE=1
EXPOSE 7860
HEALTHCHECK --start-period=90s CMD ["python", "-c", \
    "from urllib.request import urlopen; urlopen('http://127.0.0.1:7860/health', timeout=5)"]
CMD ["python", "app.py", "--host", "0.0.0.0", "--port", "7860"]
