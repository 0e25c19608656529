// While a photo is uploaded and decoded, body has the class "uploading"; until its mask is requested,
// it also has the class "awaiting".

const isPhoto = (node) => node instanceof Element && node.closest("#photo") !== null;
function sign(isOn) {
  for (const name of ["uploading", "awaiting"]) document.body.classList.toggle(name, isOn);
}

/** Gradio would refuse other files in terms of MIME types. */
function check(event, files) {
  if (!isPhoto(event.target) || !files?.length) return;
  document.querySelector(".refused")?.remove();
  const [{ name, type }] = files;
  if (type.startsWith("image/")) {
    sign(true);
    return document.dispatchEvent(new CustomEvent("upload", { detail: files[0] }));
  }
  event.stopPropagation();
  event.preventDefault();
  if (event.type === "change") event.target.value = ""; // so that it can be chosen again
  const refused = Object.assign(document.createElement("p"), { className: "gone refused" });
  refused.setAttribute("role", "alert");
  refused.textContent = `${name} is not a photo. Choose a PNG, JPEG, WebP or GIF file.`;
  document.querySelector("#photo").after(refused);
  setTimeout(() => refused.remove(), 8000);
}
document.addEventListener("change", (event) => check(event, event.target.files), true);
document.addEventListener("drop", (event) => check(event, event.dataTransfer.files), true);
document.addEventListener("paste", (event) => check(event, event.clipboardData.files), true);
/** With a photo, a press anywhere in its box chooses another one; Gradio's arrow would remove it. */
document.addEventListener(
  "click",
  (event) => {
    const { target } = event;
    const isOther = target.closest("button") && !target.closest('[aria-label="Upload file"]');
    if (!isPhoto(target) || target.type === "file" || isOther) return;
    if (!document.querySelector("#photo img")) return;
    event.stopPropagation();
    document.querySelector("#photo input[type=file]").click();
  },
  true,
);
for (const end of ["load", "error"])
  document.addEventListener(end, ({ target }) => isPhoto(target) && sign(false), true);
/** After a refused upload no picture loads, and the previous photo is already complete. */
new PerformanceObserver((list) => {
  if (!list.getEntries().some(({ name }) => /\/upload(\?|$)/.test(name))) return;
  setTimeout(() => {
    if (!document.body.classList.contains("uploading")) return;
    if (!(document.querySelector("#photo img")?.complete ?? true)) return;
    sign(false);
    document.dispatchEvent(new Event("refused"));
  }, 300);
}).observe({ type: "resource" });
