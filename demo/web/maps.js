// What each patch receives in the blocks that AMF reads, and the last block's matrices. Where a
// patch is pointed at, a matrix shows its row over the photo.
import { fetchMatrix, unpackText } from "./blobs.js";
import { clamp, make, placeIn } from "./dom.js";
import { makeFigures } from "./figure.js";

const MATRIX = "the last block's attention as a matrix, a row per patch that looks";

export const maps = ({ root, point, onPoint, mount }) => {
  let patch = null;
  let inside = false; // the pointer is in a matrix, which then stays a matrix
  let seen = null;
  let follow = null;
  onPoint((detail) => follow?.(detail));
  mount(async (value) => {
    if (seen !== value.picture) patch = null;
    seen = value.picture;
    const [rows, columns] = value.grid;
    const { pooled } = value;
    const wide = Math.ceil(columns / pooled);
    const squareOf = (row, column) => Math.floor(row / pooled) * wide + Math.floor(column / pooled);
    const [thumbs, sides] = await Promise.all(
      [value.thumbs, value.sides].map((list) => makeFigures(value, list)),
    );
    const received = await Promise.all(value.thumbs.map((one) => unpackText(one.received)));
    const matrices = value.sides.map(() => null);
    const markHere = (part) => {
      if (patch) part.mark(patch[1], patch[0], 1, 1, "gw-here");
    };
    const top = Math.max(
      ...received.map((one) => one.received.reduce((a, b) => Math.max(a, b), 0)),
    );
    const showThumb = (part, k) => {
      part.overPhoto((i) => received[k].received[i], top);
      for (const token of value.thumbs[k].tokens) part.markPatch(token, "gw-token");
      markHere(part);
    };
    const showSide = (part, k) => {
      const matrix = matrices[k];
      if (!matrix) return part.frame(true, 1);
      const most = Math.max(...matrices.map((one) => one?.top ?? 0));
      const row = patch && squareOf(...patch);
      if (patch && !inside) {
        part.box.style.minHeight ||= `${part.box.offsetHeight}px`; // what is below stays in place
        const at = (i) => matrix.at(row, squareOf(Math.floor(i / columns), i % columns));
        part.overPhoto(at, most);
        markHere(part);
      } else {
        part.asMatrix(matrix, most, Math.min(...sides.map(({ stage }) => stage.clientWidth)));
        if (patch) part.mark(0, row, matrix.n, 1, "gw-here");
      }
    };
    const show = () => {
      for (const [k, part] of thumbs.entries()) showThumb(part, k);
      for (const [k, part] of sides.entries()) if (!part.box.hidden) showSide(part, k);
    };
    // Equal matrices are drawn once.
    const join = () => {
      if (matrices.some((one) => !one)) return;
      const [first, second] = matrices;
      const equal = second && first.times.every((x, i) => x === second.times[i]);
      if (equal) {
        sides[1].box.hidden = true;
        const [one, other] = value.sides;
        sides[0].caption.textContent = `${one.title}: the same as ${other.title}`;
      }
      show();
    };
    const listen = (part, patchAt) => {
      const tell = (event) => {
        const next = patchAt(placeIn(part.stage, event));
        if (String(next) === String(patch)) return;
        patch = next;
        show();
        point(patch, false);
      };
      part.stage.addEventListener("pointermove", tell);
      part.stage.addEventListener("pointerdown", tell);
      part.stage.addEventListener("pointerleave", (event) => {
        if (event.pointerType === "touch") return;
        patch = null;
        inside = false;
        show();
        point(null);
      });
    };
    const label = (part, text) => {
      part.stage.setAttribute("role", "img");
      part.stage.setAttribute("aria-label", text);
    };
    for (const [k, part] of thumbs.entries()) {
      label(part, `${value.thumbs[k].title}: attention that each patch receives`);
      listen(part, ([y, x]) => [Math.floor(y * rows), Math.floor(x * columns)]);
    }
    for (const [k, part] of sides.entries()) {
      label(part, `${value.sides[k].title}: ${MATRIX}`);
      listen(part, ([y]) => {
        inside = true;
        const i = Math.floor(y * (matrices[k]?.n ?? 1));
        return [Math.floor(i / wide) * pooled, (i % wide) * pooled];
      });
      const take = (matrix) => {
        matrices[k] = matrix;
        join();
      };
      fetchMatrix(value.sides[k].matrix).then(take, () => {});
    }
    follow = (detail) => {
      inside = false;
      patch = detail && [clamp(detail.row, 0, rows - 1), clamp(detail.column, 0, columns - 1)];
      show();
    };
    const head = make("div", "gw-title", value.title);
    const pair = (parts) => {
      const box = make("div", "gw-pair");
      box.append(...parts.map((part) => part.box));
      return box;
    };
    root.matrices = matrices;
    root.addEventListener("placed", show, { once: true });
    if (sides.length) new ResizeObserver(() => patch || show()).observe(sides[0].box);
    return [head, pair(thumbs), pair(sides), make("p", "gw-note", value.note)];
  });
};
