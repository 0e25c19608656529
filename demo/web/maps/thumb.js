// What each patch receives in one block, over the photo.
import { Figure, Mark, PatchMark } from "../figure.js";
import { html } from "../html.js";
import { Prose } from "../terms/prose.js";

/**
 * @param {object} props
 * @param {import("../../widgets/values").MapsValue} props.value
 * @param {HTMLImageElement} props.image
 * @param {import("../../widgets/values").Thumb} props.thumb
 * @param {ArrayLike<number>} props.received
 * @param {number} props.top drawn brightest
 * @param {[row: number, column: number] | null} props.patch
 * @param {Record<string, any>} props.pointing
 */
export const Thumb = ({ value, image, thumb, received, top, patch, pointing }) => {
  const label = `${thumb.title}: attention that each patch receives`;
  return html`<figure class="gw-map">
    <${Figure}
      shown=${value}
      image=${image}
      times=${received}
      of=${[received]}
      top=${top}
      stage=${{ role: "img", "aria-label": label, ...pointing }}
    >
      ${thumb.tokens.map(
        (i) => html`<${PatchMark} key=${i} i=${i} columns=${value.grid[1]} kind="gw-token" />`,
      )}
      ${patch && html`<${Mark} x=${patch[1]} y=${patch[0]} kind="gw-here" />`}
    <//>
    <figcaption class="gw-caption"><${Prose} text=${thumb.title} /></figcaption>
  </figure>`;
};
