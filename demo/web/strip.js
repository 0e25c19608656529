// Pictures in a row or a grid, as buttons if one can be selected; without pictures, chips.
import { addWord, make } from "./shared.js";

export default function mount({ element, props, trigger, watch }) {
  const strip = element.querySelector(".items");
  const legend = element.querySelector(".legend");
  let key = "";

  function update() {
    const { items = [], columns = 1, selected, pressable = true } = props.value ?? {};
    legend.replaceChildren(...(props.value?.classes ?? []).map(named));
    const { note = "" } = props.value ?? {};
    Object.assign(element.querySelector(".note"), { textContent: note, hidden: !note });
    strip.style.setProperty("--columns", columns);
    // Settings change with each press, which must not replace the button that has the focus.
    const next = JSON.stringify([items.map(({ settings, ...seen }) => seen), pressable]);
    if (key !== next) {
      const parts = items.map((item, i) => [headed(item), drawn(item, i, pressable)]);
      strip.replaceChildren(...parts.flat().filter(Boolean));
      key = next;
    }
    strip.querySelectorAll("button").forEach((child, i) => {
      if (selected !== undefined) child.setAttribute("aria-pressed", i === selected);
    });
  }

  function named({ name, colour }) {
    const entry = make("bdi", colour ? "" : "none", name);
    entry.style.setProperty("--colour", colour);
    return entry;
  }

  /** What stands over a row of pictures. */
  const headed = ({ heading }) => heading && make("p", "heading", heading);

  function drawn({ image, caption = "", alt = "", isOurs, word }, i, pressable) {
    const item = make(pressable ? "button" : "figure", image ? "" : "pill");
    item.classList.toggle("ours", isOurs === true);
    if (image) item.append(Object.assign(make("img"), { src: image.url, alt }));
    if (caption) item.append(make("bdi", "", caption));
    if (pressable) {
      item.type = "button";
      item.onclick = () => {
        if (word) addWord(word);
        else trigger("select", { index: i, settings: props.value.items[i].settings });
      };
    }
    return item;
  }

  watch("value", update);
  update();
}
