"""What one visitor may ask: every limit, under the file that enforces it."""

# door.py, on what is received: else bodies would fill the memory, and stalled ones block others.
MAX_BODY = 64 * 2**10  # bytes of a request, unless it is an upload
MAX_CALLS = 600  # from an address in CALL_SECONDS: Gradio loses answers above 2,000 new sessions
CALL_SECONDS = 60
MAX_FILE = 64 * 2**20  # bytes of an upload
MAX_FILES = 10  # and other fields of one upload: up to a megabyte of each stays in memory
MAX_UPLOADS = 2  # at once from an address; further ones wait
UPLOAD_SECONDS = 300
IDLE_SECONDS = 10  # without a byte of a body
MIN_FREE = 2**30  # bytes of free disk space to keep
# login.py, on guesses.
LOGIN_SECONDS = 1  # for each wrong password of a connection
# store.py, on what is kept: else uploads would fill the disk.
MAX_STORED = 2 * 2**30  # bytes of all files of visitors
LEAST_STORED = 128 * 2**10  # bytes that a smaller file counts as
MAX_OF_ADDRESS = 200  # files: a class of thirty shares an address
MAX_AGE = 23 * 3600  # seconds; with the next look, at most a day
LOOK_SECONDS = 3600  # between two looks for old files
# pictures.py, on a picture: else a file of a few megabytes would occupy a processor for minutes.
MAX_PIXELS = 64_000_000  # by its header, before it is decoded
WORKED_PIXELS = 3_000_000  # to which it is then scaled
MAX_SIDE = 65_535  # pixels
MAX_HEADER_READS = 10_000  # of a file until its header is complete
MAX_READS = 300_000  # of a file until its pixels are complete
MAX_EXIF = 2**16  # bytes: many entries can point to the same ones, which Pillow copies for each
MAX_SCANS = 50  # of a JPEG, each as long as a whole image; encoders write about ten
# settings.py, on what is typed or pointed at.
MAX_CHARACTERS = 4_000  # of the words, and of the marks
MAX_PHRASES = 200  # classes and synonyms: each is embedded in up to 80 sentences
MAX_MARKS = 40
MAX_SHOWN = 20_000  # characters: ten words with 512 numbers each
# turns.py, on who waits: else the visitor with the most requests would be served most.
MAX_QUEUE = 200  # requests that wait or are computed
MAX_OF_QUEUE = 50  # of one address
MAX_WAITING = 4  # of one page
UNREAD_SECONDS = 10  # without a reader
# main.py, on what Gradio starts and keeps.
MAX_STARTED = 2 * MAX_QUEUE  # requests at once, so that all of these can wait
MAX_SESSIONS = 200  # of which it keeps the last inputs
# On what is computed: else the process would exceed 4 GB.
MAX_COST = 31_000_000  # scene.py: of a request, in the units of check_cost: 8 s on two cores
MAX_CACHED = 600 * 2**20  # photo.py: bytes of pictures, encodings and masks of all visitors
MAX_BACKBONES = 3  # backbones.py: loaded at the same time
MAX_DOWNLOADS = 2  # backbones.py: of weights, at the same time
MAX_ASPECT = 8  # share.py: height by width of a photo in a figure: 1 × 300 would need all memory
