// Markup as tagged templates: `html` makes the elements that Preact renders. Text between the tags
// is always a text node, so a visitor's words stay words.
import htm from "htm";
import { h } from "preact";

/** @type {(strings: TemplateStringsArray, ...values: any[]) => import("preact").VNode<any>} */
export const html = /** @type {any} */ (htm.bind(h));
