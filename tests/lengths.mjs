// The longest functions of the page's browser half: node tests/lengths.mjs FILE...
import { readFileSync } from "node:fs";
import { parse } from "acorn";
import { full } from "acorn-walk";

const SHOWN = 8;

const rows = process.argv.slice(2).flatMap((file) => {
  const functions = [];
  const options = { ecmaVersion: "latest", sourceType: "module", locations: true };
  full(parse(readFileSync(file, "utf8"), options), (node) => {
    if (node.type.includes("Function")) {
      const { start, end } = node.loc;
      functions.push({ lines: end.line - start.line + 1, place: `${file}:${start.line}` });
    }
  });
  return functions;
});
rows.sort((a, b) => b.lines - a.lines);
for (const { lines, place } of rows.slice(0, SHOWN)) {
  console.log(`${String(lines).padStart(3)} lines  ${place}`);
}
