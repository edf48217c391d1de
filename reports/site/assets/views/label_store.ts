// What a person has graded so far: kept in the browser's storage, undone step by step, saved as a sheet.
// The answers are those that reports/labelling/label_page.py writes.

/** An answer to be graded. */
export interface LabelItem {
  task: string;
  sample_id: string;
  answer_hash: string;
  /** Places in the sheet's images. */
  images: number[];
  /** The images' names. */
  names: string;
  question: string;
  choices: string[];
  target: string;
  answer: string;
  scale: string;
  low: number;
  high: number;
  /** The judge's grade, where the page was made to show it once a person has graded. */
  judge: number | null;
}

export interface LabelSheet {
  /** Changes with the answers: what was graded of others is not taken up. */
  id: string;
  /** The model, where the page was made to show it. */
  model: string;
  images: { name: string; uri: string | null }[];
  items: LabelItem[];
}

/** A grade; "skip" for an answer that is passed over; null for one that has none yet. */
export type Grade = number | "skip" | null;

interface Kept {
  grades: Record<number, Grade>;
  at: number;
}

/** The columns of a sheet, as compare/labels/sheet.py reads them. */
const COLUMNS = [
  "task",
  "sample_id",
  "answer_hash",
  "images",
  "question",
  "target",
  "answer",
  "scale",
  "grade",
] as const;
const FORMULA = /^[=+\-@\t\r]/;

export class LabelStore {
  at = 0;
  private grades: Record<number, Grade> = {};
  private steps: { at: number; before: Grade }[] = [];
  private readonly sheet: LabelSheet;
  private readonly place: string;
  /** Whether the browser keeps what is graded; without, only a saved file does. */
  keeps = true;

  constructor(sheet: LabelSheet) {
    this.sheet = sheet;
    this.place = `vlmbench labels ${sheet.id}`;
    try {
      const kept = JSON.parse(localStorage.getItem(this.place) ?? "null") as Kept | null;
      if (kept) this.restore(kept);
    } catch {
      this.keeps = false;
    }
  }

  /** Only what fits this sheet: the storage is open to other pages from disk. */
  private restore({ grades, at }: Kept): void {
    this.sheet.items.forEach(({ low, high }, index) => {
      const grade = grades?.[index] ?? null;
      if (grade === "skip" || (typeof grade === "number" && grade >= low && grade <= high)) this.grades[index] = grade;
    });
    if (Number.isInteger(at) && at >= 0 && at < this.sheet.items.length) this.at = at;
  }

  private keep(): void {
    try {
      localStorage.setItem(this.place, JSON.stringify({ grades: this.grades, at: this.at } satisfies Kept));
    } catch {
      this.keeps = false;
    }
  }

  get item(): LabelItem {
    return this.sheet.items[this.at];
  }

  get grade(): Grade {
    return this.grades[this.at] ?? null;
  }

  get graded(): number {
    return Object.values(this.grades).filter((grade) => typeof grade === "number").length;
  }

  get skipped(): number {
    return Object.values(this.grades).filter((grade) => grade === "skip").length;
  }

  get canUndo(): boolean {
    return this.steps.length > 0;
  }

  set(grade: Grade): void {
    this.steps.push({ at: this.at, before: this.grade });
    this.grades[this.at] = grade;
    this.keep();
  }

  undo(): void {
    const step = this.steps.pop();
    if (!step) return;
    this.at = step.at;
    this.grades[step.at] = step.before;
    this.keep();
  }

  go(to: number): void {
    this.at = Math.min(Math.max(to, 0), this.sheet.items.length - 1);
    this.keep();
  }

  /** To the next answer without a grade, from here on and then from the start; stays where all have one. */
  goToNext(): void {
    const count = this.sheet.items.length;
    for (let step = 1; step <= count; step += 1) {
      const index = (this.at + step) % count;
      if ((this.grades[index] ?? null) === null) return this.go(index);
    }
    this.go(this.at);
  }

  private rows(): Record<(typeof COLUMNS)[number], string | number>[] {
    return this.sheet.items.map((item, index) => {
      const grade = this.grades[index];
      return {
        task: item.task,
        sample_id: item.sample_id,
        answer_hash: item.answer_hash,
        images: item.names,
        question: item.question,
        target: item.target,
        answer: item.answer,
        scale: item.scale,
        grade: typeof grade === "number" ? grade : "",
      };
    });
  }

  /** With the mark that spreadsheets need, and no cell that they would compute. */
  csv(): string {
    const texts: readonly string[] = ["images", "question", "target", "answer"];
    const cell = (name: string, value: string | number) => {
      const text = texts.includes(name) && FORMULA.test(String(value)) ? `'${value}` : String(value);
      return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
    };
    const lines = this.rows().map((row) => COLUMNS.map((name) => cell(name, row[name])).join(","));
    return `\ufeff${[COLUMNS.join(","), ...lines].join("\r\n")}\r\n`;
  }

  /** The graded ones alone, an object per line. */
  jsonLines(): string {
    const rows = this.rows().filter(({ grade }) => grade !== "");
    return rows.map((row) => `${JSON.stringify(row)}\n`).join("");
  }
}
