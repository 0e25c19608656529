// Rows of attention over the picture, such as what the blocks AMF reads receive, and the last block's
// matrices. Where a patch is pointed at, here or elsewhere, matrices show its row over the picture.
import { bytesOf, held, matrixOf, photo } from "./blobs.js";
import { GLOW, HEAT, pixels } from "./colours.js";
import { clamp, fault, make, placeIn, svg } from "./dom.js";

export const maps = ({ root, share, point, onPoint, mount }) => {
  let patch = null,
    inside = false,
    follow = null,
    seen = null;
  onPoint((detail) => follow?.(detail));
  mount(async (value) => {
    if (seen !== value.picture) patch = null;
    seen = value.picture;
    const [rows, columns] = value.grid,
      pooled = value.pooled,
      wide = Math.ceil(columns / pooled);
    const figure = async (title) => {
      const box = make("div", "gw-map"),
        stage = make("div", "gw-stage"),
        canvas = make("canvas"),
        image = await photo(value.picture);
      const marks = svg("svg", { preserveAspectRatio: "none" }),
        caption = make("p", "gw-note", title);
      image.className = "gw-dim";
      stage.setAttribute("role", "img");
      stage.style.setProperty("--ratio", value.size[1] / value.size[0]);
      stage.append(image, canvas, marks);
      box.append(stage, caption);
      return { box, stage, canvas, image, marks, caption };
    };
    const over = (part, level) => {
      const { canvas, stage, image, marks } = part;
      stage.style.aspectRatio = `${value.size[1]} / ${value.size[0]}`;
      stage.classList.remove("gw-square");
      image.hidden = false;
      pixels(canvas, columns, rows, (i) => GLOW[Math.round(63 * level(i))]);
      marks.setAttribute("viewBox", `0 0 ${columns} ${rows}`);
      marks.replaceChildren();
      if (patch)
        marks.append(
          svg("rect", { x: patch[1], y: patch[0], width: 1, height: 1, class: "gw-here" }),
        );
    };
    const listen = (part, at) => {
      const tell = (event) => {
        const next = at(...placeIn(part.stage, event));
        if (patch && next[0] === patch[0] && next[1] === patch[1]) return;
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
    const onPicture = (y, x) => [Math.floor(y * rows), Math.floor(x * columns)];
    const thumbs = await Promise.all(value.thumbs.map((one) => figure(one.title)));
    thumbs.forEach((part, k) => {
      const level = bytesOf(value.thumbs[k].levels);
      part.show = () => {
        over(part, (i) => level[i] / 63);
        for (const token of value.thumbs[k].tokens)
          part.marks.append(
            svg("rect", {
              x: token % columns,
              y: Math.floor(token / columns),
              width: 1,
              height: 1,
              class: "gw-token",
            }),
          );
      };
      listen(part, onPicture);
    });
    const sides = await Promise.all(value.sides.map((one) => figure(one.title)));
    const matrices = value.sides.map(() => null);
    sides.forEach((part, k) => {
      part.stage.classList.add("gw-square");
      part.show = () => {
        const matrix = matrices[k];
        if (!matrix) return;
        const top = Math.max(...matrices.map((one) => one?.top ?? 0)),
          shown = (level) => Math.sqrt((level * matrix.top) / top),
          share = (i, j) => shown(matrix.at(i, j));
        const row = patch && Math.floor(patch[0] / pooled) * wide + Math.floor(patch[1] / pooled);
        if (patch && !inside)
          return over(part, (i) =>
            share(
              row,
              Math.floor(Math.floor(i / columns) / pooled) * wide +
                Math.floor((i % columns) / pooled),
            ),
          );
        const m = matrix.n;
        part.stage.style.aspectRatio = "1";
        part.stage.classList.add("gw-square");
        part.image.hidden = true;
        part.marks.setAttribute("viewBox", `0 0 ${m} ${m}`);
        part.marks.replaceChildren();
        if (patch)
          part.marks.append(svg("rect", { x: 0, y: row, width: m, height: 1, class: "gw-here" }));
        if (part.drawn === matrix && part.canvas.width === m) return;
        const inks = Array.from(
          { length: matrix.count },
          (_, level) => HEAT[Math.round(63 * shown(level / (matrix.count - 1)))],
        );
        pixels(part.canvas, m, m, (i) => inks[matrix.levels[i]]);
      };
      listen(part, (y) => {
        inside = true;
        const i = Math.floor(y * (matrices[k]?.n ?? 1));
        return [Math.floor(i / wide) * pooled, (i % wide) * pooled];
      });
      part.stage.setAttribute(
        "aria-label",
        `${value.sides[k].title}: the last block's attention as a matrix, a row per patch that looks, a column per patch looked at`,
      );
      held(value.sides[k].matrix, matrixOf).then(
        (matrix) => {
          matrices[k] = matrix;
          if (matrices.filter(Boolean).length === sides.length) show();
        },
        () => {},
      );
    });
    const show = () => [...thumbs, ...sides].forEach((part) => part.show());
    follow = (detail) => {
      inside = false;
      patch = detail && [clamp(detail.row, 0, rows - 1), clamp(detail.column, 0, columns - 1)];
      show();
    };
    const head = make("div", "gw-head"),
      blocks = make("div", "gw-pair"),
      last = make("div", "gw-pair");
    head.append(make("span", "gw-title", value.title), ...fault(value));
    if (value.badge) head.append(make("span", "gw-pill", value.badge));
    blocks.append(...thumbs.map((part) => part.box));
    last.append(...sides.map((part) => part.box));
    thumbs.forEach((part, k) =>
      part.stage.setAttribute(
        "aria-label",
        `${value.thumbs[k].title}: attention that each patch receives`,
      ),
    );
    root.matrices = matrices;
    show();
    return [head, blocks, last, make("p", "gw-note", value.note)];
  });
};
