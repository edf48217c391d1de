// The chart libraries in vendor/ define these before our scripts run.

declare const Plot: typeof import("@observablehq/plot");
declare const d3: typeof import("d3-array");
