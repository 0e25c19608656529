// The picture with one mask, or two to swipe between. Pointing at a patch shows where it looks, here
// and in every widget that draws patches; a press asks why its word was chosen.
import { held, labelsOf, matrixOf, mostOf, named, photo, place } from "./blobs.js";
import { GLOW, hex, pack, pixels } from "./colours.js";
import { clamp, fault, make, percent, placeIn, svg } from "./dom.js";

export const canvas = ({
  root,
  source,
  share,
  hear,
  point,
  onPoint,
  simulation,
  mount,
  trigger,
}) => {
  let split = 0.5,
    opacity = null,
    given = null,
    isolated = null,
    patch = null,
    pinned = false,
    spot = null;
  let before = null,
    follow = null;
  const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
  const CHANGED = "changed",
    REST = -1;
  document.addEventListener("gclip-opacity", (event) => follow?.opacity(Number(event.detail)));
  onPoint((detail) => follow?.patch(detail));
  hear("word", (detail) => follow?.word(detail));
  mount(async (value) => {
    const [h, w] = value.shape,
      [rows, columns] = value.grid,
      pooled = value.pooled,
      two = value.sides.length > 1;
    const columnsPooled = Math.ceil(columns / pooled),
      last = value.sides.length - 1;
    const [image, ...labels] = await Promise.all([
      photo(value.picture),
      ...value.sides.map((side) => labelsOf(side.mask, w, value.wide)),
    ]);
    const matrices = value.sides.map(() => null);
    if (given !== value.opacity) opacity = given = value.opacity;
    if (typeof isolated === "number" && !value.classes[isolated]?.shares.some((share) => share > 0))
      isolated = null;
    if (isolated === CHANGED && !two) isolated = null;
    if (before?.picture !== value.picture) {
      patch = null;
      pinned = false;
    }
    spot = value.pixel;

    const stage = make("div", "gw-stage"),
      tip = make("span", "gw-tip"),
      cross = make("span", "gw-spot");
    const here = svg("svg", { viewBox: `0 0 ${columns} ${rows}`, preserveAspectRatio: "none" });
    const edge = make("span", "gw-edge"),
      info = make("p", "gw-note gw-info");
    stage.style.aspectRatio = `${value.size[1]} / ${value.size[0]}`;
    stage.style.setProperty("--ratio", value.size[1] / value.size[0]);
    stage.tabIndex = 0;
    stage.setAttribute("role", "application");
    stage.append(image);
    const layers = value.sides.map((side) => {
      const box = make("div", "gw-side"),
        mask = make("canvas", "gw-mask"),
        heat = make("canvas", "gw-heat");
      heat.width = columns;
      heat.height = rows;
      box.append(mask, heat);
      stage.append(box);
      return { box, mask, heat };
    });
    stage.append(here, cross, tip);
    if (two) stage.append(edge);
    tip.hidden = true;

    const classOf = (k, y, x) =>
      labels[k][Math.min(h - 1, Math.floor(y * h)) * w + Math.min(w - 1, Math.floor(x * w))];
    const word = (index) => (index < 0 ? "rest" : value.classes[index].name);
    const differs = (i) => two && labels[0][i] !== labels[1][i];

    // --- masks
    // A class's place within the part of a side that shows: the spot there nearest to their middle.
    const spotIn = (k, i, from, to) => {
      const spots = [];
      for (let y = 0.02; y < 1; y += 0.04)
        for (let x = from + 0.02; x < to; x += 0.04) if (classOf(k, y, x) === i) spots.push([y, x]);
      const mean = (a) => spots.reduce((sum, spot) => sum + spot[a], 0) / spots.length,
        [my, mx] = [mean(0), mean(1)];
      const far = ([y, x]) => Math.hypot(y - my, x - mx);
      return spots.length > 2
        ? spots.reduce((best, spot) => (far(spot) < far(best) ? spot : best))
        : null;
    };
    const draw = (k, only) => {
      const ratio = Math.min(2, window.devicePixelRatio || 1),
        canvas = layers[k].mask;
      const W = Math.round(stage.clientWidth * ratio),
        H = Math.round(stage.clientHeight * ratio);
      if (!W || !H) return;
      canvas.width = W;
      canvas.height = H;
      const context = canvas.getContext("2d"),
        out = context.createImageData(W, H),
        ink = new Uint32Array(out.data.buffer);
      const dark = pack(22, 24, 29, 255 * Math.max(0.55, opacity));
      const shades = [
        only === null ? 0 : dark,
        ...value.classes.map((one) =>
          pack(...hex(one.colour), 255 * (only === null ? opacity : Math.max(opacity, 0.5))),
        ),
      ];
      const show = (label, i) =>
        only === null || only === label || (only === CHANGED && differs(i))
          ? label < 0 && only !== null
            ? 0
            : shades[label + 1]
          : dark;
      const t = Math.max(1, Math.round(ratio)),
        white = pack(255, 255, 255, only === null ? 235 : 130),
        halo = pack(20, 22, 28, 150);
      // The label's row and column under every pixel of the screen, and t pixels before and after.
      const line = (size, length, step, by) =>
        Int32Array.from(
          { length },
          (_, at) => Math.floor(((clamp(at + by, 0, length - 1) + 0.5) * size) / length) * step,
        );
      const [ys, up, down] = [0, -t, t].map((by) => line(h, H, w, by)),
        [xs, left, right] = [0, -t, t].map((by) => line(w, W, 1, by)),
        all = labels[k];
      for (let Y = 0, at = 0; Y < H; Y++)
        for (let X = 0; X < W; X++, at++) {
          const i = ys[Y] + xs[X],
            label = all[i];
          if (all[up[Y] + xs[X]] !== label || all[ys[Y] + left[X]] !== label) ink[at] = white;
          else if (all[down[Y] + xs[X]] !== label || all[ys[Y] + right[X]] !== label)
            ink[at] = halo;
          else ink[at] = show(label, i);
        }
      context.putImageData(out, 0, 0);
      words(context, k, W, H, ratio, only);
    };
    const words = (context, k, W, H, ratio, only) => {
      const taken = [];
      const order = value.classes
        .map((_, i) => i)
        .filter((i) => value.classes[i].places[k] && (only === null || only === i))
        .sort((a, b) => value.classes[b].shares[k] - value.classes[a].shares[k]);
      for (const i of order) {
        const [row, column, radius] = value.classes[i].places[k],
          size = clamp(radius * H * 0.55, 11 * ratio, 15 * ratio);
        context.font = `600 ${size}px ${getComputedStyle(root).fontFamily}`;
        const text = value.classes[i].name,
          wide = Math.min(context.measureText(text).width, W - size * 1.4),
          high = size * 1.45,
          full = wide + size * 0.9;
        const [from, to] = two
            ? [
                [0, split],
                [split, 1],
              ][k]
            : [0, 1],
          hidden = column * H - full / 2 < from * W || column * H + full / 2 > to * W;
        const spot = hidden && two ? spotIn(k, i, from, to) : [row, (column * H) / W];
        if (!spot || full + 4 > (to - from) * W) continue;
        const x = clamp(spot[1] * W, from * W + full / 2 + 2, to * W - full / 2 - 2),
          y = clamp(spot[0] * H, high / 2 + 2, H - high / 2 - 2);
        if (
          high > H - 4 ||
          taken.some(
            (box) =>
              Math.abs(box[0] - x) < (box[2] + full) / 2 &&
              Math.abs(box[1] - y) < (box[3] + high) / 2,
          )
        )
          continue;
        taken.push([x, y, full, high]);
        context.fillStyle = value.classes[i].colour;
        context.strokeStyle = "rgba(0, 0, 0, 0.55)";
        context.lineWidth = ratio;
        context.beginPath();
        context.roundRect(x - full / 2, y - high / 2, full, high, high / 3);
        context.fill();
        context.stroke();
        context.fillStyle = value.classes[i].ink;
        context.textAlign = "center";
        context.textBaseline = "middle";
        context.fillText(text, x, y + size * 0.06, wide);
      }
    };
    const paint = (only = isolated) => layers.forEach((_, k) => draw(k, only));
    const melt = () => {
      const old = before;
      before = {
        picture: value.picture,
        words: JSON.stringify(value.classes.map((one) => one.name)),
        labels: labels[last],
        w,
        canvas: layers[last].mask,
      };
      if (!old || old.picture !== value.picture || old.w !== w || still() || !old.canvas.width)
        return;
      if (old.labels.every((label, i) => label === labels[last][i])) return;
      const ghost = make("canvas", "gw-ghost"),
        flash = make("canvas", "gw-ghost");
      ghost.width = old.canvas.width;
      ghost.height = old.canvas.height;
      ghost.getContext("2d").drawImage(old.canvas, 0, 0);
      pixels(flash, w, h, (i) => (old.labels[i] === labels[last][i] ? 0 : 0xffffffff));
      layers[last].box.append(ghost, flash);
      ghost
        .animate([{ opacity: 1 }, { opacity: 0 }], { duration: 400, easing: "ease-in-out" })
        .finished.finally(() => ghost.remove());
      layers[last].mask.animate([{ opacity: 0 }, { opacity: 1 }], {
        duration: 400,
        easing: "ease-in-out",
      });
      flash
        .animate([{ opacity: 0 }, { opacity: 0.7, offset: 0.3 }, { opacity: 0 }], { duration: 400 })
        .finished.finally(() => flash.remove());
    };

    // --- swipe
    const handle = make("span", "gw-handle");
    handle.tabIndex = 0;
    handle.setAttribute("role", "slider");
    handle.setAttribute("aria-valuemin", "0");
    handle.setAttribute("aria-valuemax", "100");
    handle.setAttribute(
      "aria-label",
      two ? `Swipe between ${value.sides[0].title} and ${value.sides[1].title}` : "",
    );
    if (two) stage.append(handle);
    const swipe = (to) => {
      split = clamp(to, 0, 1);
      if (!two) return;
      const at = `${100 * split}%`;
      layers[0].box.style.clipPath = `inset(0 calc(100% - ${at}) 0 0)`;
      layers[1].box.style.clipPath = `inset(0 0 0 ${at})`;
      edge.style.left = at;
      handle.style.left = `clamp(0px, ${at}, 100%)`;
      handle.setAttribute("aria-valuenow", String(Math.round(100 * split)));
      handle.setAttribute("aria-valuetext", `${Math.round(100 * split)} % ${value.sides[0].title}`);
    };
    handle.addEventListener("keydown", (event) => {
      const to = {
        ArrowLeft: split - 0.05,
        ArrowRight: split + 0.05,
        ArrowDown: split - 0.05,
        ArrowUp: split + 0.05,
        Home: 0,
        End: 1,
      }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      event.stopPropagation();
      swipe(to);
    });

    // --- looking
    const index = () =>
      Math.floor(patch[0] / pooled) * columnsPooled + Math.floor(patch[1] / pooled);
    const look = () => {
      here.replaceChildren();
      layers.forEach(({ box }, k) =>
        box.classList.toggle("gw-looking", Boolean(patch && matrices[k])),
      );
      stage.classList.toggle("gw-dimmed", Boolean(patch) && layers.every((_, k) => matrices[k]));
      if (patch)
        here.append(
          svg("rect", { x: patch[1], y: patch[0], width: 1, height: 1, class: "gw-here" }),
        );
      const top = Math.max(...matrices.map((matrix) => matrix?.top ?? 0));
      layers.forEach(({ heat }, k) => {
        const matrix = matrices[k],
          i = patch && index();
        const at = (j) =>
          Math.floor(Math.floor(j / columns) / pooled) * columnsPooled +
          Math.floor((j % columns) / pooled);
        pixels(heat, columns, rows, (j) =>
          patch && matrix
            ? GLOW[Math.round(63 * Math.sqrt((matrix.at(i, at(j)) * matrix.top) / top))]
            : 0,
        );
      });
      say();
    };
    const say = () => {
      if (value.compact) return;
      if (!patch) return void (info.textContent = value.notes[0] ?? "");
      const [y, x] = [(patch[0] + 0.5) / rows, (patch[1] + 0.5) / columns],
        brief = (text) => (text.length > 24 ? `${[...text].slice(0, 22).join("")}…` : text);
      const names = labels.map((_, k) => brief(word(classOf(k, y, x))));
      const looks = matrices
        .map(
          (matrix, k) =>
            matrix &&
            `${mostOf(matrix, index(), columnsPooled, pooled)}${two ? ` ${value.sides[k].short}` : ""}`,
        )
        .filter(Boolean);
      info.textContent = `Patch in ${named(...patch)}${pinned ? " (pinned)" : ""}: ${names.every((one) => one === names[0]) ? names[0] : names.join(" → ")}.${looks.length ? ` Looks most at ${looks.join("; ")}. 1 × is an equal share.` : ""}`;
    };
    const move = (to, tell = true) => {
      if (to && patch && to[0] === patch[0] && to[1] === patch[1] && !tell) return;
      patch = to;
      look();
      if (tell) point(patch, pinned);
    };
    const patchAt = ([y, x]) => [Math.floor(y * rows), Math.floor(x * columns)];
    const mark = () => {
      cross.hidden = !spot;
      if (!spot) return;
      cross.style.top = `${(100 * (spot[0] + 0.5)) / value.size[0]}%`;
      cross.style.left = `${(100 * (spot[1] + 0.5)) / value.size[1]}%`;
    };
    const asked = (keyboard) => (window.gclipAsked = { stage, spot: cross, source, keyboard });
    const ask = ([y, x], keyboard = false) => {
      spot = [Math.floor(y * value.size[0]), Math.floor(x * value.size[1])];
      pinned = true;
      mark();
      move(patchAt([y, x]));
      asked(keyboard);
      trigger("select", { index: spot, value: spot });
    };
    let from = null,
      dragged = false,
      kind = "mouse";
    stage.addEventListener("pointerdown", (event) => {
      kind = event.pointerType;
      from = [event.clientX, event.clientY];
      dragged = false;
      info.setAttribute("aria-live", "off");
    });
    stage.addEventListener("pointermove", (event) => {
      const at = placeIn(stage, event);
      if (from && two && event.buttons && (dragged || Math.abs(event.clientX - from[0]) > 6)) {
        if (!dragged) stage.setPointerCapture(event.pointerId);
        dragged = true;
        tip.hidden = true;
        swipe(at[1]);
      } else if (event.pointerType !== "touch") {
        tip.textContent = word(classOf(two && at[1] > split ? 1 : 0, ...at));
        tip.hidden = false;
        tip.style.left = `${clamp(100 * at[1], 12, 88)}%`;
        tip.style.top = `${100 * at[0]}%`;
        tip.classList.toggle("gw-below", at[0] < 0.2);
        const next = patchAt(at);
        if (!pinned && (!patch || next[0] !== patch[0] || next[1] !== patch[1])) move(next);
      }
    });
    const release = () => {
      from = null;
      if (dragged) paint();
    };
    stage.addEventListener("pointerup", release);
    stage.addEventListener("pointercancel", release);
    stage.addEventListener("pointerleave", () => {
      tip.hidden = true;
      if (!pinned) move(null);
    });
    stage.addEventListener("click", (event) => {
      if (dragged || event.target === handle) return;
      const at = placeIn(stage, event),
        next = patchAt(at),
        same = pinned && patch && next[0] === patch[0] && next[1] === patch[1];
      if (kind !== "touch" || same) return ask(at);
      pinned = true; // a first tap looks, a second on the same patch asks
      move(next);
    });
    stage.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[
        event.key
      ];
      info.setAttribute("aria-live", "polite");
      if (step) {
        const now = patch ?? [Math.floor(rows / 2), Math.floor(columns / 2)];
        move(
          patch
            ? [clamp(now[0] + step[0], 0, rows - 1), clamp(now[1] + step[1], 0, columns - 1)]
            : now,
        );
      } else if (event.key === "Enter")
        ask(
          [((patch?.[0] ?? rows / 2) + 0.5) / rows, ((patch?.[1] ?? columns / 2) + 0.5) / columns],
          true,
        );
      else if (event.key === " ") {
        pinned = Boolean(patch) && !pinned;
        say();
        point(patch, pinned);
      } else if (event.key === "Escape") {
        pinned = false;
        spot = null;
        mark();
        move(null);
      } else return;
      event.preventDefault();
    });

    // --- around it
    const nodes = [];
    if (value.simulated && !value.compact) nodes.push(simulation(value.simulated));
    const head = make("div", `gw-head${value.compact ? " gw-compact" : ""}`);
    value.sides.forEach((side) => {
      const box = make("span", "gw-named");
      box.append(make("span", "gw-title", side.title));
      if (side.badge) box.append(" ", make("span", "gw-pill", side.badge));
      head.append(box);
    });
    if (value.compact) head.append(...fault(value));
    nodes.push(head, stage);
    const found = value.classes
      .map((one, i) => ({ ...one, i }))
      .filter((one) => one.shares.some((share) => share > 0))
      .sort((a, b) => b.shares[last] - a.shares[last]);
    const entries = found.map((one) => [one.i, one.name, one.colour, one.shares]);
    if (value.rest.some((share) => share > 0)) entries.push([REST, "rest", null, value.rest]);
    stage.setAttribute(
      "aria-label",
      `${value.sides.map((side, k) => `${side.title}${side.badge ? `, ${side.badge}` : ""}: ${entries.map((one) => `${one[1]} ${percent(one[3][k])}`).join(", ")}`).join(". ")}. Arrow keys move over the patches, Enter asks why, Space pins.`,
    );
    if (!value.compact) {
      nodes.push(info);
      const list = make("ul", "gw-legend"),
        buttons = [];
      const press = () => {
        buttons.forEach(([button, one]) =>
          button.setAttribute("aria-pressed", String(one === isolated)),
        );
        paint();
      };
      if (value.changed)
        entries.push([CHANGED, `changed from ${value.sides[0].title}`, null, [value.changed]]);
      for (const [one, name, colour, shares] of entries) {
        const item = make("li"),
          button = make("button", "gw-entry"),
          swatch = make(
            "span",
            `gw-swatch${one === REST ? " gw-rest" : one === CHANGED ? " gw-changed" : ""}`,
          ),
          title = make("bdi", "gw-name", name);
        if (colour) swatch.style.background = colour;
        title.title = name;
        const same = shares.length < 2 || percent(shares[0]) === percent(shares[1]);
        button.append(
          swatch,
          title,
          make(
            "span",
            "gw-percent",
            same
              ? percent(shares.at(-1))
              : `${percent(shares[0]).replace(" %", "")} → ${percent(shares[1])}`,
          ),
        );
        button.addEventListener(
          "pointerenter",
          (event) => event.pointerType !== "touch" && paint(one),
        );
        button.addEventListener("pointerleave", () => paint());
        button.addEventListener("focus", () => button.matches(":focus-visible") && paint(one));
        button.addEventListener("blur", () => paint());
        button.addEventListener("click", () => {
          isolated = isolated === one ? null : one;
          share("word", {
            index: isolated === CHANGED ? null : isolated,
            name: value.classes[isolated]?.name,
          });
          press();
        });
        buttons.push([button, one]);
        item.append(button);
        list.append(item);
      }
      nodes.push(list);
      const missing = value.classes.filter((one) => one.shares.every((share) => share === 0));
      // The more stands under the picture, the lower it is, so that its card ends on the first screen.
      const rows = Math.min(10, Math.ceil((entries.length - (value.changed ? 1 : 0)) / 2) + 1);
      stage.style.setProperty(
        "--around",
        `${24 * rows + 20 * (value.notes.length - 1) + (missing.length ? 30 : 0) + (value.simulated ? 48 : 0)}px`,
      );
      if (missing.length) {
        const more = make("details", "gw-missing");
        more.append(
          make("summary", "", `${missing.length} not found here`),
          make("p", "gw-note", missing.map((one) => one.name).join(", ")),
        );
        nodes.push(more);
      }
      for (const note of value.notes.slice(1)) nodes.push(make("p", "gw-note", note));
      const bar = make("label", "gw-bar"),
        range = make("input"),
        number = make("span", "gw-percent");
      Object.assign(range, { type: "range", min: 0, max: 100 });
      range.addEventListener("input", () =>
        document.dispatchEvent(new CustomEvent("gclip-opacity", { detail: range.value / 100 })),
      );
      range.addEventListener("change", () => {
        window.gclipOpacity = opacity;
        trigger("input", { index: 0, value: opacity });
      });
      bar.append(make("span", "", "Opacity"), range, number);
      nodes.push(bar);
      const set = () => {
        range.value = Math.round(100 * opacity);
        number.textContent = `${range.value} %`;
      };
      set();
      press();
      follow = {
        opacity: (to) => {
          opacity = to;
          set();
          paint();
        },
      };
      follow.press = press;
    } else
      follow = {
        opacity: (to) => {
          opacity = to;
          paint();
        },
        press: () => paint(),
      };
    follow.word = ({ index, name }) => {
      const found =
        index < 0
          ? REST
          : value.classes.findIndex(
              (one) => one.name === name && one.shares.some((share) => share > 0),
            );
      isolated = index < 0 || found >= 0 ? found : null;
      follow.press();
    };
    follow.patch = (detail) => {
      pinned = Boolean(detail?.pinned);
      move(detail && [clamp(detail.row, 0, rows - 1), clamp(detail.column, 0, columns - 1)], false);
    };
    swipe(split);
    mark();
    new ResizeObserver(() => paint()).observe(stage);
    root.addEventListener(
      "placed",
      () => {
        const stale =
          before &&
          (before.picture !== value.picture ||
            before.words !== JSON.stringify(value.classes.map((one) => one.name)));
        melt();
        look();
        if (spot && (window.gclipAsked?.source ?? source) === source)
          asked(window.gclipAsked?.keyboard);
        window.dispatchEvent(new CustomEvent("gclip:placed", { detail: { stale } }));
      },
      { once: true },
    );
    value.sides.forEach(
      (side, k) =>
        side.matrix &&
        held(side.matrix, matrixOf).then(
          (matrix) => {
            matrices[k] = matrix;
            if (patch) look();
          },
          () => {},
        ),
    );
    root.matrices = matrices;
    root.labels = labels;
    return nodes;
  });
};
