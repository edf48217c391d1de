// The data of a page: JSON blocks inside it, and files beside it that are loaded when a view needs them.

import { h } from "./dom.ts";
import type { Comparison, Report, RunDetails, SampleChunk, SampleList } from "./types.ts";

const blocks = new Map<string, unknown>();

/** A JSON block of the page itself, parsed once; null where there is none. */
export function block<T>(id: string): T | null {
  if (!blocks.has(id)) blocks.set(id, JSON.parse(document.getElementById(id)?.textContent ?? "null"));
  return blocks.get(id) as T | null;
}

/** What index.html carries. */
export const report = (): Report => block<Report>("report") as Report;

interface DataFile {
  text: string;
  content?: unknown;
}

const files = new Map<string, DataFile>();

/** Called by the files in data/, each with one JSON text: scripts are all that a page may load from file://. */
export const take = (name: string, text: string): void => void files.set(name, { text });

/** The parsed content of a file that has been loaded; null before that. */
function content<T>(name: string): T | null {
  const file = files.get(name);
  if (!file) return null;
  if (!("content" in file)) {
    file.content = JSON.parse(file.text);
    file.text = "";
  }
  return file.content as T;
}

export const runFile = (id: string): RunDetails => content<RunDetails>(`run-${id}`) as RunDetails;
export const listFile = (name: string): SampleList => content<SampleList>(name) as SampleList;
export const chunkFile = (name: string): SampleChunk => content<SampleChunk>(name) as SampleChunk;
export const comparisonFile = (name: string): Comparison | null => content<Comparison>(name);

const loading = new Map<string, Promise<void>>();

function loadOne(name: string): Promise<void> | null {
  if (files.has(name)) return null;
  const started = loading.get(name) ?? start(name);
  loading.set(name, started);
  return started;
}

const start = (name: string): Promise<void> =>
  new Promise((resolve, reject) => {
    const script = h("script", { src: `data/${name}.js?${report().stamp}` });
    const end = () => {
      script.remove();
      loading.delete(name);
      if (files.has(name)) resolve();
      else reject(new Error(`data/${name}.js`));
    };
    script.addEventListener("load", end);
    script.addEventListener("error", end);
    document.head.append(script);
  });

/** Load files of data/ by name; nothing to wait for (null) when all are there. */
export function loadFiles(names: string[]): Promise<unknown> | null {
  const waiting = names.map(loadOne).filter((one) => one !== null);
  return waiting.length ? Promise.all(waiting) : null;
}
