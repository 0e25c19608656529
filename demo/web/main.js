// The entry of the page's own code: `gclip` is what Gradio's components and events call.
import { blocks } from "./blocks.js";
import { canvas } from "./canvas/canvas.js";
import { card } from "./card.js";
import { figures } from "./figures.js";
import { mount } from "./gradio.js";
import { lines } from "./lines.js";
import { maps } from "./maps/maps.js";
import { norms } from "./norms/norms.js";
import { offers } from "./offers.js";
import { begin, page } from "./page/page.js";
import { photo } from "./photo/photo.js";
import { shareWidget } from "./share.js";
import { why } from "./why.js";

/** @typedef {import("./gradio.js").Widget<any, any>} Widget */

/**
 * Widgets by the name that Python gives them; of tabs that most visitors open late, fetched then.
 * @type {Record<string, () => Widget | Promise<Widget>>}
 */
const widgets = {
  attention: async () => (await import("./attention/attention.js")).attention,
  blocks: () => blocks,
  canvas: () => canvas,
  card: () => card,
  figures: () => figures,
  lesson: async () => (await import("./lesson/lesson.js")).lesson,
  lines: () => lines,
  machine: async () => (await import("./machine/machine.js")).machine,
  maps: () => maps,
  methods: async () => (await import("./methods/methods.js")).methods,
  norms: () => norms,
  offers: () => offers,
  photo: () => photo,
  share: () => shareWidget,
  why: () => why,
};

Object.assign(/** @type {any} */ (window).gclip, {
  page,
  /**
   * @param {string} name
   * @param {Parameters<typeof mount> extends [any, ...infer Rest] ? Rest : never} given
   */
  mount: async (name, ...given) => {
    mount(await widgets[name](), ...given);
  },
});
begin();
