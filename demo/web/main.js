// The entry of the page's own code: `gclip` is what Gradio's components and events call.
import { blocks } from "./blocks.js";
import { canvas } from "./canvas.js";
import { card } from "./card.js";
import { kit } from "./kit.js";
import { lines } from "./lines.js";
import { maps } from "./maps.js";
import { norms } from "./norms.js";
import { offers } from "./offers.js";
import { begin, page } from "./page.js";
import { photo } from "./photo.js";
import { why } from "./why.js";

// Widgets of tabs that most visitors open late are fetched then.
const widgets = {
  ...{ blocks, canvas, card, lines, maps, norms, offers, photo, why },
  lesson: async (kit) => (await import("./lesson.js")).lesson(kit),
  methods: async (kit) => (await import("./methods.js")).methods(kit),
  attention: async (kit) => (await import("./attention.js")).attention(kit),
  machine: async (kit) => (await import("./machine/machine.js")).machine(kit),
};

Object.assign(window.gclip, {
  page,
  mount: (name, ...given) => widgets[name]?.(kit(...given)),
});
begin();
