// A file that a visitor takes along: shared where the browser has a sheet for it, or downloaded.

/**
 * A file name of a visitor's words.
 * @param {string} words
 * @param {string} ending
 */
export const fileName = (words, ending) =>
  `${words.replace(/[^\p{L}\p{N}]+/gu, "-").slice(0, 60) || "gclip"}.${ending}`;

/** @param {File} file */
export const canShare = (file) => Boolean(navigator.canShare?.({ files: [file] }));

/** Whether it was shared; a visitor who closes the sheet changed their mind. @param {File} file */
export const share = async (file) => {
  try {
    await navigator.share({ files: [file] });
    return true;
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") return false;
    throw error;
  }
};

/** @param {File} file */
export const download = (file) => {
  const address = URL.createObjectURL(file);
  Object.assign(document.createElement("a"), { href: address, download: file.name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000); // by then the browser has read it
};
