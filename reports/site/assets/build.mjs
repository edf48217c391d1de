// Bundles the pages' TypeScript into dist/, which is committed and shipped: a page opened from disk loads no modules,
// and users need no node. `node build.mjs --check` writes nothing and fails where dist/ is not what the sources give.
//
// dist/build.json records the digests of the sources and of what was made from them, so that a stale bundle is also
// seen where there is no node (tests/reports/test_assets.py).

import { createHash } from "node:crypto";
import { readFileSync, readdirSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildSync, version } from "esbuild";

const HERE = dirname(fileURLToPath(import.meta.url));
/** Entry point to the global that its bundle defines, if any. */
const PAGES = { report: "vb", training: undefined, ranges: undefined, labels: undefined, live: undefined };
const FOLDERS = ["pages", "lib", "lib/types", "views", "views/board"];

const bundle = (name) =>
  buildSync({
    absWorkingDir: HERE,
    entryPoints: [`pages/${name}.ts`],
    globalName: PAGES[name],
    bundle: true,
    write: false,
    format: "iife",
    target: "es2022",
    charset: "utf8",
    banner: { js: '"use strict";' },
  }).outputFiles[0].contents;

const sha256 = (content) => createHash("sha256").update(content).digest("hex");

const sources = FOLDERS.flatMap((folder) =>
  readdirSync(join(HERE, folder))
    .filter((name) => name.endsWith(".ts") && !name.endsWith(".d.ts"))
    .map((name) => `${folder}/${name}`),
).sort();

const bundles = Object.keys(PAGES).map((name) => [`${name}.js`, bundle(name)]);
const record = {
  esbuild: version,
  sources: Object.fromEntries(sources.map((name) => [name, sha256(readFileSync(join(HERE, name)))])),
  bundles: Object.fromEntries(bundles.map(([name, content]) => [name, sha256(content)])),
};
const files = [...bundles, ["build.json", Buffer.from(`${JSON.stringify(record, null, 2)}\n`)]];

if (process.argv.includes("--check")) {
  const stale = files.filter(([name, content]) => !readFileSync(join(HERE, "dist", name)).equals(content));
  if (stale.length) {
    console.error(`stale: dist/${stale.map(([name]) => name).join(", dist/")}; make site-assets builds them again`);
    process.exit(1);
  }
} else {
  mkdirSync(join(HERE, "dist"), { recursive: true });
  for (const [name, content] of files) writeFileSync(join(HERE, "dist", name), content);
}
