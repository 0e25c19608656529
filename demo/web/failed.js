// What could not be fetched says so where it would be, and can be tried again.
import { MissingError } from "./blobs.js";
import { html } from "./html.js";

const GONE = "The page keeps this no longer. Press Segment to make it anew, or";
const LOST = "This could not be fetched.";

/** @param {{ error: unknown, retry: () => void }} props */
export const Failed = ({ error, retry }) => html`<p class="gw-failed" role="alert">
  ${error instanceof MissingError ? GONE : LOST}${" "}
  <button type="button" class="gw-link" onClick=${retry}>
    ${error instanceof MissingError ? "try again" : "Try again"}
  </button>
</p>`;
