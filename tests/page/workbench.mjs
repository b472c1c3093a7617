/**
 * The page's own modules in the page's own origin and policy, for tests that call them without the page
 * around them: bundled here, handed to the browser as if the server had them.
 */
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "../..");
const SOURCE = `
export { createStream } from "./frontend/js/md/stream.js";
export { lex } from "./frontend/js/md/lexer.js";
export { blocks } from "./frontend/js/md/render.js";
export { finishCode } from "./frontend/js/ui/code.js";
export { ABOVE, outline } from "./frontend/js/md/outline.js";
export { finishFormula } from "./frontend/js/ui/formula.js";
export { written, dice } from "./tests/frontend/written.mjs";
`;

const bundle = build({
  stdin: { contents: SOURCE, resolveDir: ROOT, sourcefile: "bench.js" }, entryNames: "bench", chunkNames: "[name]-[hash]", outdir: join(ROOT, "assets/bench"),
  bundle: true, format: "esm", splitting: true, write: false, target: "es2022",
});

/** Makes the modules `bench` of a page, which must be on the server already. */
export async function furnish(page) {
  const files = new Map((await bundle).outputFiles.map((file) => [file.path.slice(join(ROOT, "assets/bench/").length), file.text]));
  await page.route("**/assets/bench/*", (route) => {
    const body = files.get(new URL(route.request().url()).pathname.split("/").at(-1));
    return body ? route.fulfill({ body, contentType: "text/javascript" }) : route.fulfill({ status: 404 });
  });
  await page.evaluate(async () => { globalThis.bench = await import("/assets/bench/bench.js"); });
}
