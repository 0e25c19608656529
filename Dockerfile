FROM python:3.12-slim

RUN useradd --create-home --uid 1000 gclip
WORKDIR /home/gclip/app

COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt

COPY --chown=gclip app.py LICENSE README.md ./
COPY --chown=gclip gclip_core gclip_core
COPY --chown=gclip evaluation evaluation
COPY --chown=gclip demo demo
COPY --chown=gclip assets assets

USER gclip
ENV GRADIO_ANALYTICS_ENABLED=False
EXPOSE 7860
HEALTHCHECK --start-period=90s CMD ["python", "-c", \
    "from urllib.request import urlopen; urlopen('http://127.0.0.1:7860/health', timeout=5)"]
CMD ["python", "app.py", "--host", "0.0.0.0", "--port", "7860"]
