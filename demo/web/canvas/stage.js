// The photo with its masks as they are switched, what lies over them, and the pointer.
import { useEffect, useRef, useState } from "preact/hooks";
import { useWidth } from "../hooks.js";
import { html } from "../html.js";
import { Picture } from "../picture.js";
import { Prose } from "../terms/prose.js";
import { BestWords } from "./best-words.js";
import { Swipe } from "./controls.js";
import { useGestures } from "./gestures.js";
import { Looks } from "./looks.js";
import { MaskLayer } from "./mask-layer.js";

/** @typedef {import("../../widgets/values").CanvasValue} CanvasValue */
/** @typedef {import("../../widgets/values").Mode} Mode */

/** @param {{ side: import("../../widgets/values").Side }} props */
export const SideName = ({ side }) => html`<span class="gw-name-of">
  <span class="gw-title"><${Prose} text=${side.title} /></span>
  ${side.badge && html`${" "}<span class="gw-pill"><${Prose} text=${side.badge} /></span>`}
</span>`;

/**
 * What is seen of each side: whether, how it is clipped, and in which columns its names lie.
 * @param {Mode} mode
 * @param {number} split
 * @param {number} settled the split of the names, which a drag moves at its end
 * @param {number} last index of the side after
 */
const seenOf = (mode, split, settled, last) => {
  const swipes = mode === "swipe";
  const at = `${100 * split}%`;
  return {
    is: (/** @type {number} */ k) => swipes || k === (mode === "before" ? 0 : last),
    clip: (/** @type {number} */ k) => {
      if (!swipes) return "";
      return k ? `inset(0 0 0 ${at})` : `inset(0 calc(100% - ${at}) 0 0)`;
    },
    range: (/** @type {number} */ k) => {
      if (!swipes) return [0, 1];
      return k ? [settled, 1] : [0, settled];
    },
  };
};

/**
 * @param {object} props
 * @param {CanvasValue} props.value
 * @param {{ image: HTMLImageElement, labels: Int32Array[] }} props.loaded
 * @param {Mode} props.mode
 * @param {number} props.split
 * @param {(split: number) => void} props.onSwipe
 * @param {number | null} props.only the label that is shown alone
 * @param {string} props.ariaLabel
 * @param {import("./sides.js").SideAtPatch} props.side
 */
export const Stage = ({ value, loaded, mode, split, onSwipe, only, ariaLabel, side }) => {
  const { sides, size } = value;
  const two = sides.length > 1;
  const swipes = mode === "swipe";
  const stage = useRef(/** @type {HTMLElement | null} */ (null));
  const titles = useRef(/** @type {HTMLElement | null} */ (null));
  const width = useWidth(stage);
  const [settled, setSettled] = useState(split); // where names keep to their side
  const onRelease = () => setSettled(split);
  useEffect(onRelease, [mode]);
  const gestures = useGestures({ value, swipes, onSwipe, onRelease });
  const topOf = () => (titles.current ? titles.current.offsetTop + titles.current.offsetHeight : 0);
  const seen = seenOf(mode, split, settled, sides.length - 1);
  const frame = `gw-frame ${value.compact ? "" : "gw-large"}`;
  return html`<div class=${frame} style=${{ "--ratio": size[1] / size[0] }}>
    <div
      ref=${stage}
      class=${`gw-stage ${only === null ? "" : "gw-alone"}`}
      style=${{ aspectRatio: `${size[1]} / ${size[0]}` }}
      tabindex="0"
      role="application"
      aria-label=${ariaLabel}
      ...${gestures}
    >
      <${Picture} image=${loaded.image} />
      ${sides.map(
        (_, k) => html`<${MaskLayer}
          key=${k === sides.length - 1 ? "after" : "before"}
          value=${value}
          labels=${loaded.labels}
          k=${k}
          only=${only}
          range=${seen.range(k)}
          seen=${seen.is(k)}
          clip=${seen.clip(k)}
          width=${width}
          topOf=${topOf}
        />`,
      )}
      <${Looks} value=${value} side=${side} />
      ${
        two &&
        html`<${Swipe}
            titles=${sides.map(({ title }) => title)}
            split=${split}
            hidden=${!swipes}
            onMove=${onSwipe}
          />
          <div class="gw-named" ref=${titles}>
            ${sides
              .filter((_, k) => seen.is(k))
              .map((own) => html`<${SideName} key=${own.title} side=${own} />`)}
          </div>`
      }
    </div>
    <${BestWords} value=${value} side=${side} />
  </div>`;
};
