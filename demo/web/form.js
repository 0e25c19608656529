// The form of the settings, drawn from their JSON schema: a property with a "group" has a control.
import { make, showValue } from "./elements.js";

/**
 * A property of the schema. `group` is "" at the top of the form, else the title of a part that
 * opens; `labels` are the texts of choices, `suggestions` pairs of a text and the value it means.
 * @typedef {{ type?: string, title: string, description?: string, group?: string,
 *   enum?: string[], labels?: Record<string, string>, suggestions?: [string, string][],
 *   minimum?: number, maximum?: number, maxLength?: number }} Property
 * @typedef {string | number | boolean} Value
 * @typedef {{ parts: HTMLElement[], output?: HTMLElement, set: (value: Value) => void }} Control
 */

const MOST_RADIOS = 3; // more choices are a list that opens

/**
 * Draw the controls of `schema` into `form`; each change calls `change({ name: value })`.
 * Returns a function that shows other values, but leaves alone what is being typed.
 * @param {HTMLFormElement} form
 * @param {Record<string, Property>} schema
 * @param {(values: Record<string, Value>) => void} change
 */
export function createForm(form, schema, change) {
  /** @type {Map<string, Control>} */
  const controls = new Map();
  /** @type {Map<string, HTMLElement>} */
  const groups = new Map([["", form]]);
  form.onsubmit = (event) => event.preventDefault();
  for (const [name, property] of Object.entries(schema)) {
    const { group } = property;
    if (group === undefined) continue;
    if (!groups.has(group)) groups.set(group, part(form, group));
    const control = controlOf(property)(`set-${name}`, property, (value) =>
      change({ [name]: value }),
    );
    groups.get(group)?.append(fieldOf(`set-${name}`, property, control));
    controls.set(name, control);
  }
  return (/** @type {Record<string, Value>} */ settings) => {
    for (const [name, { set }] of controls) set(settings[name]);
  };
}

/** A part of the form that is closed at first.
 * @param {HTMLElement} form @param {string} title */
function part(form, title) {
  const details = make("details");
  details.append(make("summary", "", title));
  form.append(details);
  return details;
}

/** A control with its label and its hint.
 * @param {string} id @param {Property} property @param {Control} control */
function fieldOf(id, { title, description }, { parts, output }) {
  const isGroup = parts[0].matches("label"); // a label for each choice
  const field = make(isGroup ? "fieldset" : "div", "field");
  const label = make(isGroup ? "legend" : "label", "", title);
  if (!isGroup) label.setAttribute("for", id);
  if (output) label.append(output);
  field.append(label);
  if (description) {
    const hint = Object.assign(make("p", "info", description), { id: `${id}-hint` });
    (isGroup ? field : parts[0]).setAttribute("aria-describedby", hint.id);
    field.append(hint);
  }
  field.append(...parts);
  return field;
}

/** @param {Property} property */
function controlOf({ type, enum: choices, minimum, maximum }) {
  if (choices) return choices.length > MOST_RADIOS ? list : radios;
  if (type === "boolean") return checkbox;
  if (type === "string") return text;
  return type === "number" && minimum === 0 && maximum === 1 ? slider : number;
}

/** @typedef {(id: string, property: Property, send: (value: Value) => void) => Control} Draw */

/** @param {string} type @param {string} id */
const input = (type, id) =>
  /** @type {HTMLInputElement} */ (Object.assign(make("input"), { type, id }));

/** @type {Draw} */
function list(id, { enum: choices = [], labels = {} }, send) {
  const select = /** @type {HTMLSelectElement} */ (Object.assign(make("select"), { id }));
  select.append(...choices.map((value) => new Option(labels[value] ?? value, value)));
  select.onchange = () => send(select.value);
  return {
    parts: [select],
    set: (value) => {
      select.value = `${value}`;
    },
  };
}

/** @type {Draw} */
function radios(id, { enum: choices = [], labels = {} }, send) {
  const inputs = choices.map((value, i) =>
    Object.assign(input("radio", `${id}-${i}`), { name: id, value, onchange: () => send(value) }),
  );
  const parts = inputs.map((radio) => {
    const label = make("label");
    label.append(radio, ` ${labels[radio.value] ?? radio.value}`);
    return label;
  });
  return {
    parts,
    set: (value) => {
      for (const radio of inputs) radio.checked = radio.value === value;
    },
  };
}

/** @type {Draw} */
function checkbox(id, _, send) {
  const box = input("checkbox", id);
  box.onchange = () => send(box.checked);
  return {
    parts: [box],
    set: (value) => {
      box.checked = value === true;
    },
  };
}

/** From 0 to 1, with its value in its label. @type {Draw} */
function slider(id, _, send) {
  const range = Object.assign(input("range", id), { min: 0, max: 1, step: 0.05 });
  const output = make("output");
  output.setAttribute("for", id);
  range.oninput = () => {
    output.textContent = Number(range.value).toFixed(2);
  };
  range.onchange = () => send(Number(range.value));
  return {
    parts: [range],
    output,
    set: (value) => {
      if (range.matches(":active")) return; // it is being dragged
      range.value = `${value}`;
      output.textContent = Number(value).toFixed(2);
    },
  };
}

/** @type {Draw} */
function number(id, { type, minimum, maximum }, send) {
  const step = type === "integer" ? "1" : "any";
  const box = Object.assign(input("number", id), { min: minimum ?? "", max: maximum ?? "", step });
  return { parts: [box], set: typed(box, () => send(Number(box.value))) };
}

/** Free text, or one of the suggestions by its text. @type {Draw} */
function text(id, { suggestions = [], maxLength = 200 }, send) {
  const box = Object.assign(input("text", id), { maxLength, spellcheck: false });
  const options = Object.assign(make("datalist"), { id: `${id}-list` });
  options.append(...suggestions.map(([label]) => new Option("", label)));
  box.setAttribute("list", options.id);
  const set = typed(box, () => {
    const found = box.value.trim().toLowerCase();
    send(suggestions.find(([label]) => label.toLowerCase() === found)?.[1] ?? box.value.trim());
  });
  return {
    parts: [box, options],
    set: (value) => set(suggestions.find((pair) => pair[1] === value)?.[0] ?? value),
  };
}

/**
 * Send what is typed at Enter or when the box is left, unless the browser finds it out of range.
 * Returns a function that shows a value, but not over what is being typed.
 * @param {HTMLInputElement} box @param {() => void} send
 */
function typed(box, send) {
  box.required = true;
  box.onchange = () => {
    if (!box.validity.valid) return setTimeout(() => box.reportValidity()); // once focus has moved
    box.dataset.shown = box.value;
    send();
  };
  return (/** @type {Value} */ value) => showValue(box, value);
}
