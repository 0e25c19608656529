// Two pictures of one size, one uncovered from the left; a range input moves the edge.
let share = 50;
mount(async (value) => {
  const [left, right] = [await picture(value.left.src, value.left.title), await picture(value.right.src, value.right.title)];
  const stage = make("div", "gw-stage"), edge = make("span", "gw-edge"), range = make("input");
  stage.style.aspectRatio = `${value.size[1]} / ${value.size[0]}`;
  range.type = "range";
  range.min = 0;
  range.max = 100;
  range.setAttribute("aria-label", `Uncover: ${value.left.title} on the left, ${value.right.title} on the right`);
  stage.append(right, left, edge);
  const set = (to) => {
    share = clamp(to, 0, 100);
    range.value = share;
    left.style.clipPath = `inset(0 ${100 - share}% 0 0)`;
    edge.style.left = `${share}%`;
  };
  const at = (event) => { const box = stage.getBoundingClientRect(); return ((event.clientX - box.left) / box.width) * 100; };
  stage.addEventListener("pointerdown", (event) => { stage.setPointerCapture(event.pointerId); set(at(event)); });
  stage.addEventListener("pointermove", (event) => { if (event.buttons || event.pointerType === "mouse") set(at(event)); });
  range.addEventListener("input", () => set(Number(range.value)));
  set(share);
  const names = make("div", "gw-names");
  names.append(make("bdi", "gw-title", value.left.title), make("bdi", "gw-title", value.right.title));
  return [names, stage, range];
});
