// Sends a file to Gradio, as its own components do.
import { WORDS } from "../words.js";

/** @param {File} file */
export const upload = async (file) => {
  const body = new FormData();
  body.append("files", file, file.name || "photo.png");
  /** @type {Response} */
  let answer;
  try {
    answer = await fetch("gradio_api/upload", { method: "POST", body });
  } catch {
    throw new Error(WORDS.photo.refused); // no connection
  }
  if (!answer.ok) throw new Error(answer.status === 413 ? WORDS.photo.large : WORDS.photo.refused);
  const [path] = await answer.json();
  return { path, orig_name: file.name || "photo.png", meta: { _type: "gradio.FileData" } };
};
