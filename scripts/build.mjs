/**
 * Builds the page: bundles frontend/ with esbuild into backend/tokenwire/web/page/ under content-hashed
 * names, writes index.html, the manifest and the service worker from their templates, compresses every file
 * beside itself and holds the size budget. It knows nothing of the server beyond the folder that the server reads.
 *
 *   node scripts/build.mjs [--watch] [--out DIR]
 */
import { createHash } from "node:crypto";
import { mkdir, readFile, readdir, rename, rm, writeFile } from "node:fs/promises";
import { watch } from "node:fs";
import { basename, dirname, join, parse, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { build } from "esbuild";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "..");
const SOURCE = join(ROOT, "frontend");
const OUT = argument("--out") ?? join(ROOT, "backend", "tokenwire", "web", "page");
const PACKAGES = ["marked", "highlight.js", "temml", "@fontsource/noto-sans-math"];
/**
 * Gzipped bytes: what a first visit loads, and what the extras, the first code block and the first formula add.
 * The extras have a style sheet of their own: that of the dialogs.
 */
const BUDGET = {
  "first load, JS": 45_000, "first load, CSS": 8_000, "extras, lazy": 20_000, "highlighter, lazy": 32_000, "mathematics, lazy": 66_000,
};

/** @param {string} name */
function argument(name) {
  const at = process.argv.indexOf(name);
  return at < 0 ? undefined : process.argv[at + 1];
}

/** @param {string | Uint8Array} data */
const hash = (data) => createHash("sha256").update(data).digest("hex").slice(0, 10);
/** @param {Uint8Array} data */
const gzip = (data) => gzipSync(data, { level: 9 });

/**
 * marked as what this page uses of it: its default instance keeps the parser and the renderers, a fourth of it, from
 * being left out.
 */
const lexerOnly = {
  name: "lexer-only",
  /** @param {import("esbuild").PluginBuild} build */
  setup(build) {
    build.onLoad({ filter: /marked\.esm\.js$/ }, async ({ path }) => {
      const whole = await readFile(path, "utf8");
      const [, before = "", all = ""] = /^(.*)\bvar \w+=new \w+;function .*export\{(.*)\};/s.exec(whole) ?? [];
      const names = all.split(",").filter((name) => /^\S+ as (Lexer|Tokenizer)$/.test(name));
      if (names.length !== 2) throw new Error("marked's file is made in another way now: lexerOnly in scripts/build.mjs no longer fits it.");
      return { contents: `${before}export{${names}};`, loader: "js" };
    });
  },
};

/** Bundles scripts and styles; returns esbuild's outputs with their paths relative to the page folder. */
async function bundle() {
  const common = { absWorkingDir: ROOT, bundle: true, minify: true, write: false, metafile: true };
  const shape = { target: "es2022", entryNames: "[name]-[hash]", chunkNames: "[name]-[hash]" };
  const page = await build({
    ...common, ...shape, outdir: join(OUT, "assets"), format: "esm", splitting: true, legalComments: "none",
    assetNames: "[name]-[hash]", loader: { ".woff2": "file" }, plugins: [lexerOnly],
    entryPoints: [join(SOURCE, "js/app.js"), join(SOURCE, "css/app.css"), join(SOURCE, "css/math.css"), join(SOURCE, "css/extras.css")],
  });
  const theme = await build({
    ...common, ...shape, outdir: join(OUT, "assets"), format: "iife",
    entryPoints: [join(SOURCE, "js/theme.js")],
  });
  const outputs = { ...page.metafile.outputs, ...theme.metafile.outputs };
  const files = new Map();
  for (const file of [...page.outputFiles, ...theme.outputFiles]) {
    files.set(relative(OUT, file.path), file.contents);
  }
  return { outputs, files };
}

/** @param {Record<string, any>} outputs @param {string} entry */
function outputOf(outputs, entry) {
  const found = Object.entries(outputs).find(([, o]) => o.entryPoint && basename(o.entryPoint) === entry);
  if (!found) throw new Error(`esbuild made no output for ${entry}`);
  return found[0];
}

/** Everything that a script pulls in before its first line runs. @param {Record<string, any>} outputs @param {string} start */
function closure(outputs, start) {
  const seen = new Set([start]);
  for (const name of seen) {
    for (const i of outputs[name].imports) if (i.kind === "import-statement") seen.add(i.path);
  }
  return seen;
}

/** One SVG holding every icon as a symbol, inlined in index.html so that no icon appears late. */
async function sprite() {
  const names = (await readdir(join(SOURCE, "icons"))).filter((n) => n.endsWith(".svg")).sort();
  const symbols = await Promise.all(names.map(async (name) => {
    const svg = await readFile(join(SOURCE, "icons", name), "utf8");
    const inner = svg.replace(/<!--.*?-->/gs, "").replace(/^\s*<svg[^>]*>|<\/svg>\s*$/g, "").replace(/\s*\n\s*/g, "");
    return `<symbol id="i-${name.slice(0, -4)}" viewBox="0 0 24 24">${inner}</symbol>`;
  }));
  return `<svg class="sprite" aria-hidden="true">${symbols.join("")}</svg>`;
}

async function licenses() {
  const parts = await Promise.all(PACKAGES.map(async (name) => {
    const folder = join(ROOT, "node_modules", name);
    const { version, license } = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
    const file = (await readdir(folder)).find((f) => /^licen[cs]e/i.test(f));
    if (!file) throw new Error(`${name} has no licence file`);
    return `${name} ${version} (${license})\n\n${await readFile(join(folder, file), "utf8")}`;
  }));
  parts.push(`Lucide icons (ISC)\n\n${await readFile(join(SOURCE, "icons", "LICENSE"), "utf8")}`);
  return parts.map((p) => p.trim()).join(`\n\n${"-".repeat(78)}\n\n`) + "\n";
}

/** @param {Record<string, any>} outputs @param {Map<string, Uint8Array>} files */
function checkBudget(outputs, files) {
  const key = (/** @type {string} */ path) => relative(OUT, join(ROOT, path));
  const size = (/** @type {Iterable<string>} */ paths) =>
    [...paths].reduce((sum, p) => sum + gzip(/** @type {Uint8Array} */ (files.get(key(p)))).length, 0);
  const first = closure(outputs, outputOf(outputs, "app.js"));
  first.add(outputOf(outputs, "theme.js"));
  const lazy = (/** @type {string} */ entry) => size([...closure(outputs, outputOf(outputs, entry))].filter((p) => !first.has(p)));
  const sizes = {
    "first load, JS": size(first),
    "first load, CSS": size([outputOf(outputs, "app.css")]),
    "extras, lazy": lazy("extras.js") + lazy("extras.css"),
    "highlighter, lazy": lazy("grammars.js"),
    "mathematics, lazy": lazy("temml.js") + lazy("math.css"),
  };
  let fits = true;
  for (const [name, bytes] of Object.entries(sizes)) {
    const limit = BUDGET[/** @type {keyof typeof BUDGET} */ (name)];
    if (bytes > limit) fits = false;
    console.log(`  ${name}: ${bytes} of ${limit} bytes gzipped${bytes > limit ? "  TOO LARGE" : ""}`);
  }
  const fonts = [...files].filter(([name]) => name.endsWith(".woff2"));
  console.log(`  fonts, with the first formula: ${fonts.reduce((sum, [, data]) => sum + data.length, 0)} bytes`);
  return fits;
}

/** Writes the files with their compressed twins beside the old folder, then swaps: a running server never sees half a page. */
async function write(/** @type {Map<string, Uint8Array>} */ files) {
  const fresh = `${OUT}.new`;
  await rm(fresh, { recursive: true, force: true });
  for (const [name, data] of files) {
    const path = join(fresh, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, data);
    // A font is packed by itself.
    if (name.endsWith(".woff2")) continue;
    await writeFile(`${path}.gz`, gzip(data));
    await writeFile(`${path}.br`, brotliCompressSync(data, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }));
  }
  await rm(OUT, { recursive: true, force: true });
  await rename(fresh, OUT);
}

/** The icons under hashed names, by what templates call them. @param {Map<string, Uint8Array>} files */
async function icons(files) {
  const sources = { icon: "favicon.svg", icon192: "app/icon-192.png", icon512: "app/icon-512.png", maskable: "app/maskable-512.png" };
  const entries = await Promise.all(Object.entries(sources).map(async ([key, source]) => {
    const data = await readFile(join(SOURCE, source));
    const { name, ext } = parse(source);
    files.set(`assets/${name}-${hash(data)}${ext}`, data);
    return [key, `/assets/${name}-${hash(data)}${ext}`];
  }));
  return Object.fromEntries(entries);
}

/** The colours of the page's ground, for what is drawn around it. */
async function grounds() {
  const found = /--page: light-dark\((oklch\(.*?\)), (oklch\(.*?\))\)/.exec(await readFile(join(SOURCE, "css/tokens.css"), "utf8"));
  if (!found) throw new Error("tokens.css has no --page with a light and a dark colour");
  return { light: found[1], dark: found[2] };
}

/** @param {string} template @param {Record<string, string>} values */
function fill(template, values) {
  return template.replace(/\{\{(\w+)\}\}/g, (_, name) => {
    if (!(name in values)) throw new Error(`a template names an unknown value: ${name}`);
    return values[name];
  });
}

/** The service worker, with its build and what it keeps: the scripts and styles, and the icon of the tab. */
async function worker(/** @type {string} */ id, /** @type {Map<string, Uint8Array>} */ files) {
  const shell = [...files.keys()].filter((name) => /^assets\/.*\.(js|css)$|^assets\/favicon/.test(name)).map((name) => `/${name}`).sort();
  const made = await build({
    entryPoints: [join(SOURCE, "sw/sw.js")], bundle: true, minify: true, write: false, target: "es2022", format: "iife", legalComments: "none",
    define: { BUILD: JSON.stringify(id), SHELL: JSON.stringify(shell) },
  });
  return made.outputFiles[0].contents;
}

async function run() {
  const started = Date.now();
  const { outputs, files } = await bundle();
  const [pictures, colours] = [await icons(files), await grounds()];
  const templates = await Promise.all(["index.html", "manifest.webmanifest", "sw/sw.js"].map((name) => readFile(join(SOURCE, name), "utf8")));
  const symbols = await sprite();
  const id = hash([...files.keys()].sort().join("\n") + templates.join("") + symbols);
  const url = (/** @type {string} */ entry) => "/" + relative(OUT, join(ROOT, outputOf(outputs, entry)));
  // What the page shares with its lazy parts is fetched beside it, not after it.
  const shared = [...closure(outputs, outputOf(outputs, "app.js"))].slice(1).map((path) => `/${relative(OUT, join(ROOT, path))}`);
  const preload = shared.map((path) => `<link rel="modulepreload" href="${path}">\n`).join("");
  const values = {
    ...pictures, ...colours, build: id, preload, css: url("app.css"), math: url("math.css"), extras: url("extras.css"), theme: url("theme.js"),
    app: url("app.js"), sprite: symbols,
  };
  files.set("index.html", Buffer.from(fill(templates[0], values)));
  files.set("manifest.webmanifest", Buffer.from(fill(templates[1], values)));
  files.set("sw.js", await worker(id, files));
  files.set("favicon.svg", await readFile(join(SOURCE, "favicon.svg")));
  files.set("THIRD_PARTY_LICENSES.txt", Buffer.from(await licenses()));
  files.set("manifest.json", Buffer.from(JSON.stringify({ build: id, files: [...files.keys()].sort() }, null, 1) + "\n"));
  const fits = checkBudget(outputs, files);
  await write(files);
  console.log(`  page ${id}: ${files.size} files in ${Date.now() - started} ms -> ${relative(process.cwd(), OUT)}`);
  return fits;
}

if (process.argv.includes("--watch")) {
  let timer = setTimeout(() => {}, 0);
  const again = () => run().catch((error) => console.error(error.message));
  await again();
  watch(SOURCE, { recursive: true }, () => {
    clearTimeout(timer);
    timer = setTimeout(again, 80);
  });
} else if (!(await run())) {
  process.exit(1);
}
