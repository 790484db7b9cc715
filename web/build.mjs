// Bundles each page's script and style into dispatchcount/render/html/assets, with the licences of what is in them.
//
// The first line of a bundle holds a sha256 of the sources. tests/render/test_bundles.py works it out again, so that
// a bundle older than its sources is found where there is no Node.
import { createHash } from "node:crypto";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const HERE = dirname(fileURLToPath(import.meta.url));
const ASSETS = join(HERE, "../dispatchcount/render/html/assets");
const PAGES = ["report", "diff", "dashboard"];

/** The files that a bundle follows from, as paths below `web/` with forward slashes, sorted. */
const sources = () => {
  const below = readdirSync(join(HERE, "src"), { recursive: true, withFileTypes: true });
  const files = below.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const own = ["build.mjs", "package-lock.json", "package.json", "tsconfig.json"].map((name) => join(HERE, name));
  return [...files, ...own].map((file) => relative(HERE, file).split(sep).join("/")).sort();
};

/** One hash of the names and contents of all sources. */
const digest = () => {
  const hash = createHash("sha256");
  for (const file of sources())
    hash
      .update(`${file}\0`)
      .update(readFileSync(join(HERE, file)))
      .update("\0");
  return hash.digest("hex");
};

const banner = `/* Built by dispatchcount's web/build.mjs. Sources: sha256 ${digest()} */`;
const result = await build({
  absWorkingDir: HERE,
  entryPoints: PAGES.flatMap((page) => [
    { in: `src/${page}/main.ts`, out: page },
    { in: `src/${page}/${page}.css`, out: page },
  ]),
  outdir: ASSETS,
  bundle: true,
  minify: true,
  charset: "ascii", // so that a page can hold it in any encoding
  format: "iife",
  target: "es2022",
  legalComments: "none", // the licences stand in LICENSES.txt, whole
  banner: { js: banner, css: banner },
  metafile: true,
  logLevel: "warning",
});

/** The packages that any bundle holds code of, with the text of their licences. */
const bundled = Object.values(result.metafile.outputs).flatMap((output) => Object.keys(output.inputs));
const names = new Set(bundled.map((file) => /^node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(file)?.[1]).filter(Boolean));
const licences = [...names].sort().map((name) => {
  const folder = join(HERE, "node_modules", name);
  const { version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const all = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const files = all.filter(
    (entry) => /^(licen[cs]e|notice)/i.test(entry.name) && !/node_modules/.test(relative(folder, entry.parentPath)),
  );
  if (!files.length) throw new Error(`${name} has no licence file; it cannot be shipped`);
  const texts = files
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
    .map((file) => readFileSync(file, "utf8").trim());
  return `${name} ${version} (${license})\n\n${texts.join("\n\n")}\n`;
});
const line = `\n${"=".repeat(100)}\n\n`;
const head = "The scripts in this folder hold code of these packages, unchanged but for bundling.\n";
writeFileSync(join(ASSETS, "LICENSES.txt"), [head, ...licences].join(line));
for (const [file, { bytes }] of Object.entries(result.metafile.outputs))
  console.log(`${(bytes / 1024).toFixed(0).padStart(5)} kB  ${file.split("/").at(-1)}`);
