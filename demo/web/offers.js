// What one press would do: a word to add or to put in another's place, a simulation, a share card.
import { button, make } from "./dom.js";
import { after, page } from "./page.js";

const isWord = (part, word) => part.trim().toLowerCase() === word.toLowerCase();
const swap = (words, [typed, known]) =>
  words
    .split(/([,;\n])/)
    .map((part) => (isWord(part, typed) ? part.replace(part.trim(), known) : part))
    .join("");
const add = (words, word) => {
  const typed = words.trim().replace(/,$/, "");
  return typed ? `${typed}, ${word}` : word;
};

// The words of the field once the offer that was pressed is taken.
page.takeWord = (words) =>
  page.offer.swap ? swap(words, page.offer.swap) : add(words, page.offer.add);
// A new picture clears the words, but not those typed while it was uploaded.
page.clearWords = (words) => (page.typed ? words : "");
// Suggested words fill an empty field, unless another answer is due: these may be older.
page.fillWords = async (suggested) => {
  await after(50); // by then the status line has counted this answer
  const words = document.querySelector("#words textarea").value;
  return words.trim() || page.isWaiting() ? words : suggested;
};

export const offers = ({ root, trigger, mount }) =>
  mount(async (value) => {
    root.dataset.off = value.off.join(" ");
    return value.rows.map(({ text, choices }) => {
      const row = make("p", "row");
      if (text) row.append(make("span", "", text));
      for (const choice of choices) {
        const press = () => {
          page.offer = choice;
          trigger("select", { index: 0, value: choice.label });
        };
        row.append(button(choice.label, press, choice.add ? "chip" : "gw-link"));
      }
      return row;
    });
  });
