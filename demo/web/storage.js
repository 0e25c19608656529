// What this browser keeps, where it may: a private window, or a frame of another site, keeps nothing.

/** A value that this tab keeps for a reload, or every tab; sets it if one is given.
 * @param {string} name @param {unknown} [value] @param {"sessionStorage" | "localStorage"} storage */
export function recall(name, value, storage = "sessionStorage") {
  try {
    if (value !== undefined) window[storage].setItem(`gclip-${name}`, JSON.stringify(value));
    return JSON.parse(window[storage].getItem(`gclip-${name}`));
  } catch {
    return null;
  }
}
