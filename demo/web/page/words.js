// The page's words and lists, as Python wrote them into the document.

/** @type {import("../../widgets/values").PageWords} */
export const WORDS = JSON.parse(document.getElementById("page-words")?.textContent ?? "{}");
