// Pictures and arrays that the server keeps under a name: fetched once for the whole page.

const KEPT = 24;
const kept = new Map();
export const place = (name) =>
  new URL(`held/${name}`, location.href.split(/[?#]/)[0].replace(/\/?$/, "/")).href;

export const held = (name, read) => {
  if (!kept.has(name)) {
    while (kept.size > KEPT) kept.delete(kept.keys().next().value);
    const coming = fetch(place(name))
      .then((answer) => (answer.ok ? answer.arrayBuffer() : Promise.reject(answer.status)))
      .then(read);
    kept.set(name, coming);
    coming.catch(() => kept.delete(name));
  }
  return kept.get(name);
};

export const photo = async (name) => {
  const image = Object.assign(new Image(), { alt: "", draggable: false, src: place(name) });
  await image.decode().catch(() => {});
  return image;
};

const added = (bytes, width) => {
  for (let i = width; i < bytes.length; i++) bytes[i] += bytes[i - width];
  return bytes;
};
export const bytesOf = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
export const labelsOf = async (text, width, wide) => {
  const stream = new Blob([bytesOf(text)]).stream().pipeThrough(new DecompressionStream("deflate"));
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  const rows = added(bytes, wide ? 2 * width : width);
  const labels = Int32Array.from(wide ? new Uint16Array(rows.buffer) : rows);
  const none = wide ? 65535 : 255;
  for (let i = 0; i < labels.length; i++) if (labels[i] === none) labels[i] = -1;
  return labels;
};
// n × n levels of attention, and of every row the two largest, exactly.
export const matrixOf = (buffer) => {
  const head = new DataView(buffer);
  const n = head.getUint32(0, true);
  const count = head.getUint32(4, true);
  const levels = added(new Uint8Array(buffer, 12 + 12 * n), n);
  return {
    n,
    count,
    levels,
    top: head.getFloat32(8, true),
    places: new Uint16Array(buffer, 12, 2 * n),
    times: new Float32Array(buffer, 12 + 4 * n, 2 * n),
    at: (i, j) => levels[i * n + j] / (count - 1),
  };
};
export const named = (row, column) => `row ${row + 1}, column ${column + 1}`;
export const mostOf = (matrix, i, columns, pooled) => {
  const one = (k) => {
    const j = matrix.places[2 * i + k];
    const where =
      j === i ? "itself" : named(Math.floor(j / columns) * pooled, (j % columns) * pooled);
    return `${where} (${matrix.times[2 * i + k].toFixed(1)} ×)`;
  };
  return matrix.places[2 * i] === i ? `${one(0)}, ${one(1)}` : one(0);
};
