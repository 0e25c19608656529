// Pictures to download, made in the browser at the size of the photo.
import { abgr, draw, make } from "./shared.js";

const LONGEST = 4096; // larger pictures are blank on some phones

function sheet(photo) {
  const longest = Math.max(photo.naturalWidth, photo.naturalHeight);
  const scale = Math.min(1, LONGEST / longest);
  return Object.assign(make("canvas"), {
    width: Math.round(photo.naturalWidth * scale),
    height: Math.round(photo.naturalHeight * scale),
  });
}

const blobOf = (canvas) => new Promise((resolve) => canvas.toBlob(resolve));

/** The photo, transparent except where it has this label, and as small as the label allows. */
export function cutOut(photo, labels, columns, label) {
  const rows = labels.length / columns;
  const stencil = make("canvas");
  const [xs, ys] = [new Set(), new Set()];
  draw(stencil, columns, rows, (i) => {
    if (labels[i] !== label) return 0;
    xs.add(i % columns);
    ys.add(Math.floor(i / columns));
    return abgr(0, 0, 0, 255);
  });
  const whole = sheet(photo);
  const [left, top] = [Math.min(...xs), Math.min(...ys)];
  const across = whole.width / columns;
  const down = whole.height / rows;
  const result = Object.assign(make("canvas"), {
    width: Math.ceil((Math.max(...xs) + 1 - left) * across),
    height: Math.ceil((Math.max(...ys) + 1 - top) * down),
  });
  const context = result.getContext("2d");
  context.translate(-left * across, -top * down);
  context.drawImage(stencil, 0, 0, whole.width, whole.height);
  context.globalCompositeOperation = "source-in";
  context.drawImage(photo, 0, 0, whole.width, whole.height);
  return blobOf(result);
}

/** The photo with its mask and its names, as shown. */
export function picture(photo, mask, names, stage) {
  const result = sheet(photo);
  const context = result.getContext("2d");
  context.filter = getComputedStyle(photo).filter;
  context.drawImage(photo, 0, 0, result.width, result.height);
  context.filter = "none";
  context.drawImage(mask, 0, 0, result.width, result.height);
  const scale = result.width / stage.clientWidth;
  context.scale(scale, scale);
  context.textAlign = "center";
  context.textBaseline = "middle";
  for (const name of names) {
    const { offsetLeft: x, offsetTop: y, offsetWidth: width, offsetHeight: height } = name;
    const { backgroundColor, color, font } = getComputedStyle(name);
    context.fillStyle = backgroundColor;
    context.beginPath();
    context.roundRect(x, y, width, height, height / 2);
    context.fill();
    Object.assign(context, { fillStyle: color, font });
    context.fillText(name.textContent, x + width / 2, y + height / 2, width - 10);
  }
  return blobOf(result);
}

export function saveAs(blob, download) {
  const href = URL.createObjectURL(blob);
  Object.assign(make("a"), { href, download }).click();
  setTimeout(() => URL.revokeObjectURL(href), 60_000);
}
