// Pieces of a sample that its card, its dialog and the comparison share: its image with boxes, its verdict.

import { dataText, h, svg } from "../lib/dom.ts";
import { shorten, statusLabel } from "../lib/format.ts";
import { type Records, thumbnailPath, type Verdict } from "../lib/records.ts";
import type { Box, Boxes, Thumbnail } from "../lib/types.ts";

export const VERDICTS: Record<Verdict, string> = { right: "Right", wrong: "Wrong", partly: "Partly", none: "No score" };

/** An image, or a frame with its name where the report carries none; with the target box and the predicted one over it. */
export function imageNode(
  image: Thumbnail | null | undefined,
  { large = false, boxes = null }: { large?: boolean; boxes?: Boxes | null } = {},
): HTMLElement {
  const source = image && thumbnailPath(image);
  if (!source) return h("span", { class: "no-image" }, image ? dataText(shorten(image.name, 60)) : "no image");
  const node = h("img", { src: source, alt: large ? `Image ${image.name}` : "", decoding: "async" });
  return boxes ? h("div", { class: "boxed" }, node, drawing(boxes)) : node;
}

function drawing([target, predicted]: Boxes): SVGElement {
  const box = ([x, y, width, height]: Box, kind: string) =>
    svg("rect", { class: `box box-${kind}`, x, y, width, height, "vector-effect": "non-scaling-stroke" });
  const label = predicted
    ? "The target box (solid) and the predicted one (dashed)"
    : "The target box; none was predicted";
  return svg(
    "svg",
    { viewBox: "0 0 1 1", preserveAspectRatio: "none", role: "img", "aria-label": label },
    box(target, "target"),
    predicted ? box(predicted, "predicted") : null,
  );
}

export function verdictNode(records: Records, row: number): HTMLElement {
  const verdict = records.verdict(row);
  const text = verdict === "none" ? statusLabel(records.status(row)) : VERDICTS[verdict];
  return h("span", { class: `verdict verdict-${verdict}` }, text);
}
