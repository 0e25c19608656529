// What the server says of itself once, and what follows from it.
/** @import { Facts, Name, State } from "./types.js" */

/** @type {Facts} */
export const FACTS = JSON.parse(document.querySelector("#facts").textContent);
export const SETTINGS = /** @type {Name[]} */ (Object.keys(FACTS.schema));
/** A tab is a panel of the page, what draws it (DRAWN in app.js), and its pieces on the server. */
export const TABS = [...document.querySelectorAll("[role=tabpanel]")].map(({ id }) => id);

/** The state without a link. @type {State} */
export const DEFAULTS = {
  ...FACTS.settings,
  photo: FACTS.opening,
  absent: "The photo of this link stayed with its owner. Choose one of yours.",
  tab: "segment",
  patch: null,
  step: 0,
};

/** Whether a tab shows a photo. @param {string} tab */
export const showsPhoto = (tab) => tab !== "learn" && tab !== "share";
/** @param {string} photo */
export const isUpload = (photo) => photo !== "" && !FACTS.photos.includes(photo);
