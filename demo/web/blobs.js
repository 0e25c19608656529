// Pictures and arrays that the server keeps under a name: fetched once for the whole page.

const KEPT = 24;
const kept = new Map();
const base = () => location.href.split(/[?#]/)[0].replace(/\/?$/, "/");
export const place = (name) => new URL(`blob/${name}`, base()).href;

const TYPES = { u1: Uint8Array, u2: Uint16Array, f4: Float32Array };

// Arrays by name, as demo/widgets/blobs.py packs them; levels become values again.
export const unpack = async (bytes) => {
  const flow = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  const buffer = await new Response(flow).arrayBuffer();
  let at = 4 + new DataView(buffer).getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, at - 4)));
  const found = {};
  for (const [name, type, shape, top, steps] of head) {
    const size = shape.reduce((a, b) => a * b, 1) * TYPES[type].BYTES_PER_ELEMENT;
    const array = new TYPES[type](buffer.slice(at, at + size));
    at += size;
    const table = Float32Array.from({ length: steps + 1 }, (_, k) => top * (k / steps) ** 2);
    found[name] = steps ? Float32Array.from(array, (k) => table[k]) : array;
  }
  return found;
};

// The same from a text within a value.
export const unpackText = (text) => unpack(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)));

export const fetchArrays = (name) => {
  if (!kept.has(name)) {
    while (kept.size > KEPT) kept.delete(kept.keys().next().value);
    const coming = fetch(place(name))
      .then((answer) => (answer.ok ? answer.arrayBuffer() : Promise.reject(answer.status)))
      .then(unpack);
    kept.set(name, coming);
    coming.catch(() => kept.delete(name));
  }
  return kept.get(name);
};

// n × n attention in multiples of an equal share, and the exact largest of each row.
export const fetchMatrix = async (name) => {
  const { times, places, most } = await fetchArrays(name);
  const n = Math.sqrt(times.length);
  const looks = places.length / n;
  const top = times.reduce((a, b) => Math.max(a, b), 0) || 1;
  // The strongest places of row i, each with its attention.
  const strongest = (i) =>
    Array.from({ length: looks }, (_, k) => [places[i * looks + k], most[i * looks + k]]);
  return { n, times, top, strongest, at: (i, j) => times[i * n + j] };
};

export const photo = async (name) => {
  const image = Object.assign(new Image(), { alt: "", draggable: false, src: place(name) });
  await image.decode().catch(() => {});
  return image;
};

// The labels of a mask, -1 for none.
export const labelsOf = async (text) => {
  const { labels } = await unpackText(text);
  const found = new Int32Array(labels.length);
  for (let i = 0; i < found.length; i++) found[i] = labels[i] - 1;
  return found;
};
