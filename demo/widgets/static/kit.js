// What a widget has for itself: its root, its value, what it says to the page and hears from it.
const kit = (element, props, trigger, watch) => {
  const root = element.querySelector(".gw");
  const source = root.closest("[id]")?.id || "";
  // What one widget says, of this page's patch, word or channel, all others hear.
  const share = (kind, detail) => window.dispatchEvent(new CustomEvent(`gclip:${kind}`, { detail: detail && { ...detail, source } }));
  const hear = (kind, follow) => {
    const heard = (event) => (element.isConnected ? event.detail?.source !== source && follow(event.detail) : window.removeEventListener(`gclip:${kind}`, heard));
    window.addEventListener(`gclip:${kind}`, heard);
  };
  // One patch is looked at on the whole page: {row, column, source, pinned}, or null.
  const point = (patch, pinned) => {
    gclip.at = patch && { row: patch[0], column: patch[1], pinned, picture: arrived()?.picture };
    share("patch", gclip.at);
  };
  // The patch for who comes later.
  const pointed = (picture) => (gclip.at?.picture === picture ? gclip.at : null);
  const onPoint = (follow) => hear("patch", follow);
  const simulation = (words) => {
    const line = make("p", "gw-simulated", words + " "), off = make("button", "gw-link", "Switch it off");
    off.addEventListener("click", () => trigger("clear", { value: "simulation" }));
    line.append(off);
    return line;
  };
  const onTheme = (draw) => {
    const seen = new MutationObserver(() => (element.isConnected ? draw() : seen.disconnect()));
    seen.observe(document.body, { attributes: true, attributeFilter: ["class"] });
  };
  // The value; where it came as text, read once.
  let text = null, read = null;
  const arrived = () => {
    if (!props.value || typeof props.value !== "string") return props.value;
    if (props.value !== text) read = JSON.parse((text = props.value));
    return read;
  };
  // Calls build(value) now and after every update; only the latest call may put its nodes in place.
  let turn = 0;
  // A value with the id of what is shown is left alone.
  let shown = null;
  const mount = (build) => {
    const show = async () => {
      const mine = ++turn, value = arrived();
      const id = (value && value.id) || null;
      if (id && id === shown) return void root.dispatchEvent(new CustomEvent("placed"));
      const held = root.contains(document.activeElement);
      const nodes = value && value.kind ? await build(value) : [skeleton(root.dataset.empty)];
      if (mine !== turn) return;
      shown = id;
      root.replaceChildren(...nodes);
      root.dispatchEvent(new CustomEvent("placed"));
      root.dataset.ready = value && value.kind ? "1" : "0";
      const focusable = root.querySelector("[tabindex='0']");
      if (held && focusable) focusable.focus({ preventScroll: true });
    };
    watch("value", show);
    show();
  };
  return { root, source, share, hear, point, pointed, onPoint, simulation, onTheme, arrived, mount };
};
