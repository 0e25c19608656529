// Where each patch looks, in several maps that follow one pointer, which every widget shares.
import { fetchMatrix, unpackText } from "./blobs.js";
import { arrows, button, clamp, make, placeIn, placeName, skeleton } from "./dom.js";
import { makeFigures } from "./figure.js";

const GONE = "These maps are not kept any more. Press Segment to make them anew.";

export const attention = ({ root, point, pointed, onPoint, mount, trigger }) => {
  let current = null;
  let pinned = false;
  const on = { matrix: false, classToken: false }; // as a matrix; the class token's row
  let seen = null;
  let follow = null;
  onPoint((detail) => follow?.(detail));
  mount(async (value) => {
    if (seen !== value.picture) [current, pinned] = [null, false];
    seen = value.picture;
    const [height, width] = value.grid;
    const { pooled } = value;
    const n = height * width;
    const matrices = await Promise.all(value.maps.map(({ matrix }) => fetchMatrix(matrix))).catch(
      () => null,
    );
    if (!matrices) return [skeleton(GONE)];
    const parts = await makeFigures(value, value.maps);
    const rowOf = ({ class_row: row }) => unpackText(row.row);
    const classRows = await Promise.all(value.maps.map(rowOf));
    const top = Math.max(...matrices.map((one) => one.top));
    const kept = pointed(value.picture);
    const first = kept ? [kept.row, kept.column].map((at) => Math.floor(at / pooled)) : value.patch;
    if (first) [current, pinned] = [first[0] * width + first[1], kept ? kept.pinned : true];
    if (current === null || current >= n) current = (height >> 1) * width + (width >> 1);
    const patchOf = (i) => [Math.floor(i / width) * pooled, (i % width) * pooled];
    const where = (i) => placeName(...patchOf(i));
    const info = make("p", "gw-note gw-info gw-room");
    const line = make("span");
    info.setAttribute("aria-live", "polite");
    info.append(line);

    const drawOne = (part, k) => {
      const { tokens } = value.maps[k];
      if (on.matrix) {
        part.asMatrix(matrices[k], top, Math.min(...parts.map(({ stage }) => stage.clientWidth)));
        for (const token of tokens) part.mark(token, 0, 1, n, "gw-stripe");
        if (!on.classToken) part.mark(0, current, n, 1, "gw-here");
      } else {
        const row = classRows[k].row;
        part.overPhoto((i) => (on.classToken ? row[i] : matrices[k].at(current, i)), top);
        for (const token of tokens) part.markPatch(token, "gw-token");
        if (!on.classToken) part.markPatch(current, "gw-here");
      }
    };
    const most = (k) => {
      if (on.classToken) {
        const { best } = value.maps[k].class_row;
        return `${where(best)} (${classRows[k].row[best].toFixed(1)} ×)`;
      }
      const list = matrices[k].strongest(current);
      const shown = list.slice(0, list[0][0] === current ? 2 : 1);
      const name = (i) => (i === current ? "itself" : where(i));
      return shown.map(([i, times]) => `${name(i)} (${times.toFixed(1)} ×)`).join(", ");
    };
    const say = () => {
      const pin = pinned ? " (pinned)" : "";
      const who = on.classToken ? "The class token" : `Patch in ${where(current)}${pin}`;
      const many = value.maps.length > 1;
      const looks = value.maps.map(({ title }, k) => (many ? `${title}: ` : "") + most(k));
      const text = `${who} looks most at these patches: ${looks.join("; ")}.`;
      line.textContent = `${text} 1 × is an equal share.`;
      info.dataset.room = `${line.textContent.replace(/\d+/g, "88")} (pinned)`;
    };
    const draw = () => {
      for (const [k, part] of parts.entries()) drawOne(part, k);
      say();
    };
    const share = () => point(patchOf(current), pinned);
    const tell = () => trigger("select", { index: patchOf(current), value: patchOf(current) });
    const move = (i, told = true) => {
      if (i !== current || on.classToken) {
        current = i;
        on.classToken = false;
        press();
        draw();
      }
      if (told) share();
    };
    follow = (detail) => {
      pinned = Boolean(detail?.pinned);
      if (detail) {
        const row = clamp(Math.floor(detail.row / pooled), 0, height - 1);
        const column = clamp(Math.floor(detail.column / pooled), 0, width - 1);
        move(row * width + column, false);
      }
      say();
    };

    for (const [k, { box, stage, caption }] of parts.entries()) {
      const { title, note } = value.maps[k];
      caption.className = "gw-title";
      box.prepend(caption);
      if (note) box.append(make("p", "gw-note", note));
      stage.tabIndex = 0;
      stage.setAttribute("role", "application");
      const label = `${title}: where one patch looks. Arrow keys move, Enter pins.`;
      stage.setAttribute("aria-label", label);
      const at = (event) => {
        const [y, x] = placeIn(stage, event);
        return on.matrix
          ? Math.floor(y * n)
          : Math.floor(y * height) * width + Math.floor(x * width);
      };
      stage.addEventListener("pointermove", (event) => {
        const i = at(event);
        if (!pinned && event.pointerType !== "touch" && (i !== current || on.classToken)) move(i);
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
        const step = arrows[event.key];
        if (step) {
          const [row, column] = [
            Math.floor(current / width) + step[0],
            (current % width) + step[1],
          ];
          const within = row >= 0 && row < height && column >= 0 && column < width;
          if (within) move(row * width + column);
        } else if (event.key === "Enter" || event.key === " ") {
          pinned = !pinned;
          tell();
          share();
          say();
        } else if (event.key === "Escape") {
          pinned = false;
          share();
          say();
        } else return;
        event.preventDefault();
      });
    }

    const bar = make("div", "gw-bar");
    const buttons = {};
    const press = () => {
      for (const name in buttons) buttons[name].setAttribute("aria-pressed", String(on[name]));
    };
    const toggle = (name, words) => {
      const flip = () => {
        on[name] = !on[name];
        press();
        draw();
      };
      buttons[name] = button(words, flip);
      bar.append(buttons[name]);
    };
    toggle("matrix", "Show as matrix");
    toggle("classToken", "Class token's row");
    press();
    const row = make("div", "gw-row");
    row.append(...parts.map(({ box }) => box));
    const nodes = [row, bar, info];
    if (pooled > 1) {
      const squares = `squares of ${pooled} × ${pooled} patches`;
      nodes.push(make("p", "gw-note", `Averaged over ${squares}, to keep the page light.`));
    }
    root.addEventListener("placed", draw, { once: true });
    return nodes;
  });
};
