// The editor's code comes when it is first seen.
const seen = new IntersectionObserver((entries) => {
  if (!props.value?.from || !entries.some((entry) => entry.isIntersecting)) return;
  seen.disconnect();
  const page = location.href.split(/[?#]/)[0].replace(/\/?$/, "/");
  import(`${page}${props.value.from}/editor.js`).then((code) => code.default(element, props, trigger, watch), () => { root.textContent = "The editor did not arrive; reload the page."; });
}, { rootMargin: "400px" });
seen.observe(element);
