// Where each patch looks, in several maps that follow one pointer, which every widget shares.
import { bytesOf, held, matrixOf, mostOf, named, photo } from "./blobs.js";
import { GLOW, HEAT, pixels } from "./colours.js";
import { clamp, fault, make, placeIn, skeleton, svg } from "./dom.js";

export const attention = ({ root, share, point, pointed, onPoint, mount, trigger }) => {
  let current = null,
    pinned = false,
    matrix = false,
    classToken = false,
    follow = null,
    seen = null;
  onPoint((detail) => follow?.(detail));
  mount(async (value) => {
    if (seen !== value.picture) {
      current = null;
      pinned = false;
    }
    seen = value.picture;
    const [height, width] = value.grid,
      n = height * width;
    const matrices = await Promise.all(value.maps.map((map) => held(map.matrix, matrixOf))).catch(
      () => null,
    );
    if (!matrices)
      return [skeleton("These maps are not kept any more. Press Segment to make them anew.")];
    const images = await Promise.all(value.maps.map(() => photo(value.picture)));
    const classRows = value.maps.map(
      (map) => map.class_row && { ...map.class_row, bytes: bytesOf(map.class_row.levels) },
    );
    const top = Math.max(...matrices.map((one) => one.top));
    const kept = pointed(value.picture),
      first = kept ? [kept.row, kept.column].map((x) => Math.floor(x / value.pooled)) : value.patch;
    if (first) [current, pinned] = [first[0] * width + first[1], kept ? kept.pinned : true];
    if (current === null || current >= n)
      current = Math.floor(height / 2) * width + Math.floor(width / 2);
    if (!value.class_row) classToken = false;
    // Attention in multiples of an equal share; row n is the class token's.
    const times = (k, row, column) =>
      row < n
        ? matrices[k].at(row, column) * matrices[k].top
        : (classRows[k].bytes[column] / 255) * classRows[k].top;
    const level = (k, row, column) =>
      Math.round(63 * Math.sqrt(Math.min(1, times(k, row, column) / top)));
    const info = make("p", "gw-note gw-info gw-room"),
      line = make("span");
    info.setAttribute("aria-live", "polite");
    info.append(line);
    const where = (i) => named(Math.floor(i / width) * value.pooled, (i % width) * value.pooled);
    const panels = value.maps.map((map, k) => {
      const figure = make("figure", "gw-map");
      const caption = make("figcaption", "gw-title", map.title);
      const stage = make("div", "gw-stage"),
        canvas = make("canvas"),
        marks = svg("svg", { preserveAspectRatio: "none" });
      stage.tabIndex = 0;
      stage.setAttribute("role", "application");
      stage.setAttribute(
        "aria-label",
        `${map.title}: where one patch looks. Arrow keys move, Enter pins.`,
      );
      images[k].className = "gw-dim";
      stage.append(images[k], canvas, marks);
      figure.append(caption, stage);
      if (map.note) figure.append(make("p", "gw-note", map.note));
      const rect = (x, y, w, h, cls) =>
        marks.append(svg("rect", { x, y, width: w, height: h, class: cls }));
      const draw = (fresh) => {
        const row = classToken ? n : current;
        if (!matrix) pixels(canvas, width, height, (i) => GLOW[level(k, row, i)]);
        else if (fresh) pixels(canvas, n, n, (i) => HEAT[level(k, Math.floor(i / n), i % n)]);
        if (fresh) {
          stage.style.aspectRatio = matrix ? "1" : `${value.size[1]} / ${value.size[0]}`;
          marks.setAttribute("viewBox", matrix ? `0 0 ${n} ${n}` : `0 0 ${width} ${height}`);
          images[k].style.display = matrix ? "none" : "";
        }
        marks.replaceChildren();
        for (const token of map.tokens) {
          if (matrix) rect(token, 0, 1, n, "gw-stripe");
          else rect(token % width, Math.floor(token / width), 1, 1, "gw-token");
        }
        if (!classToken) {
          if (matrix) rect(0, current, n, 1, "gw-here");
          else rect(current % width, Math.floor(current / width), 1, 1, "gw-here");
        }
      };
      const at = (event) => {
        const [y, x] = placeIn(stage, event);
        return matrix ? Math.floor(y * n) : Math.floor(y * height) * width + Math.floor(x * width);
      };
      stage.addEventListener("pointermove", (event) => {
        const i = at(event);
        if (!pinned && event.pointerType !== "touch" && (i !== current || classToken)) move(i);
      });
      stage.addEventListener("pointerleave", (event) => {
        if (!pinned && event.pointerType !== "touch") point(null);
      });
      stage.addEventListener("click", (event) => {
        const i = at(event);
        pinned = event.pointerType === "touch" || !pinned || i !== current;
        move(i);
        tell();
      });
      stage.addEventListener("keydown", (event) => {
        const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -width, ArrowDown: width }[event.key];
        if (step !== undefined) {
          event.preventDefault();
          const column = (current % width) + (Math.abs(step) === 1 ? step : 0),
            next = current + step;
          if (column >= 0 && column < width && next >= 0 && next < n) move(next);
        } else if (event.key === "Enter" || event.key === " ") {
          event.preventDefault();
          pinned = !pinned;
          tell();
          tellAll();
          say();
        } else if (event.key === "Escape") {
          pinned = false;
          tellAll();
          say();
        }
      });
      return { figure, draw };
    });
    const say = () => {
      const row = classToken ? n : current;
      const who = classToken
        ? "The class token"
        : `Patch in ${where(current)}${pinned ? " (pinned)" : ""}`;
      const looks = value.maps.map((map, k) => {
        const most = classToken
          ? `${where(classRows[k].best)} (${classRows[k].top.toFixed(1)} ×)`
          : mostOf(matrices[k], current, width, value.pooled);
        return `${value.maps.length > 1 ? map.title + ": " : ""}${most}`;
      });
      line.textContent = `${who} looks most at these patches: ${looks.join("; ")}. 1 × is an equal share.`;
      info.dataset.room = `${line.textContent.replace(/\d+/g, "88")} (pinned)`;
    };
    const draw = (fresh) => {
      panels.forEach((panel) => panel.draw(fresh));
      say();
    };
    const tellAll = () =>
      point([Math.floor(current / width) * value.pooled, (current % width) * value.pooled], pinned);
    const move = (i, tell = true) => {
      if (i !== current || classToken) {
        current = i;
        classToken = false;
        press();
        draw(false);
      }
      if (tell) tellAll();
    };
    follow = (detail) => {
      pinned = Boolean(detail?.pinned);
      if (detail)
        move(
          clamp(Math.floor(detail.row / value.pooled), 0, height - 1) * width +
            clamp(Math.floor(detail.column / value.pooled), 0, width - 1),
          false,
        );
      say();
    };
    const tell = () => {
      const p = value.pooled,
        point = [Math.floor(current / width) * p, (current % width) * p];
      trigger("select", { index: point, value: point });
    };
    const bar = make("div", "gw-bar"),
      buttons = [];
    const button = (words, get, flip) => {
      const node = make("button", "gw-button", words);
      node.addEventListener("click", () => {
        flip();
        press();
        draw(true);
      });
      buttons.push([node, get]);
      bar.append(node);
    };
    const press = () =>
      buttons.forEach(([node, get]) => node.setAttribute("aria-pressed", String(get())));
    button(
      "Show as matrix",
      () => matrix,
      () => (matrix = !matrix),
    );
    if (value.class_row)
      button(
        "Class token's row",
        () => classToken,
        () => (classToken = !classToken),
      );
    press();
    bar.append(...fault(value));
    const row = make("div", "gw-row");
    row.append(...panels.map((panel) => panel.figure));
    const nodes = [row, bar, info];
    if (value.pooled > 1)
      nodes.push(
        make(
          "p",
          "gw-note",
          `Averaged over squares of ${value.pooled} × ${value.pooled} patches, to keep the page light.`,
        ),
      );
    root.levels = (k) => Array.from({ length: n }, (_, i) => level(k, classToken ? n : current, i));
    draw(true);
    return nodes;
  });
};
